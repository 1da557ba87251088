#include "service.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "backing.h"
#include "hits.h"
#include "krg/log/log.h"
#include "krg/protocol/table.h"
#include "sets.h"
#include "with_part.h"

namespace krg::kddm {
namespace {

// How often ops that wait look whether this node may still serve, and tasks are looked at that can
// not ring: stopped ones.
constexpr Duration kLook = std::chrono::milliseconds(20);

// Shorter data are copied into the channel; it keeps longer ones where they are until the receiver
// has them.
constexpr std::size_t kCopiedMax = 256;

bool is_request(Kind kind) noexcept { return kind <= Kind::remove; }

}  // namespace

Service::Service(rpc::Rpc& rpc, KddmOptions options)
    : rpc_(rpc),
      options_(std::move(options)),
      counters_(options_.stats),
      room_(*this, options_.limit_bytes),
      channels_(rpc, *this) {
  add_linker(memory_linker_);
  backing_ = std::make_unique<Backing>(*this);
  copies_.use(cohorts_);
}

Service::~Service() = default;

Status Service::may_serve() const {
  if (epoch_.value == 0) return Error(Errc::not_connected, "this node is not in a view yet");
  if (draining_) return Error(Errc::shutting_down, "this node leaves the cluster");
  return serves();
}

Status Service::serves() const { return options_.serving ? options_.serving() : Status(); }

// --- Sets ---------------------------------------------------------------------------------------

void Service::add_linker(Linker& linker) { linkers_[linker.name()] = &linker; }

Linker* Service::linker(const std::string& name) const noexcept {
  const auto at = linkers_.find(name);
  return at == linkers_.end() ? nullptr : at->second;
}

Set* Service::find_set(SetId id) noexcept {
  if (last_ != nullptr && last_->id == id) return last_;
  const auto at = sets_.find(id);
  if (at == sets_.end()) return nullptr;
  return last_ = at->second.get();
}

Set& Service::add_set(SetId id, SetOptions options) {
  std::unique_ptr<Set>& set = sets_[id];
  if (!set) {
    Linker* const how = linker(options.linker);
    if (how == nullptr) {
      KRG_ERROR("kddm set {}: this node has no linker named {}; first touches here will fail",
                id.value, options.linker);
    }
    set = std::make_unique<Set>(id, std::move(options), how);
    has_backed_ = has_backed_ || Backing::is_backed(*set);
    if (how != nullptr) how->begin(id, set->options);
  }
  return *set;
}

Set* Service::next_set(const Set* set) noexcept {
  auto at = set == nullptr ? sets_.begin() : sets_.find(set->id);
  if (set != nullptr && at != sets_.end()) ++at;
  return at == sets_.end() ? nullptr : at->second.get();
}

void Service::bury(SetId id) {
  Set& set = add_set(id, SetOptions{});
  if (set.gone) return;
  if (set.linker != nullptr) {
    copies_.for_each(set, [&](ObjectId object, const Holder& holder) {
      if (holder.copy != Copy::none) set.linker->removed(set.id, object);
    });
  }
  copies_.drop_all(set);
  if (set.linker != nullptr) set.linker->end(set.id);
  set.bury();
  ops_.give_up_of(set, Error(Errc::not_found, "the set was destroyed"));
}

// --- Operations ---------------------------------------------------------------------------------

void Service::start(Set& set, ObjectId object, Message op) noexcept {
  watch();
  if (op.kind == Kind::op_get || op.kind == Kind::op_grab) {
    const HolderEntry* const entry = set.holders.find(object);
    if (entry != nullptr && entry->held) return deferred_.push_back({&set, object, op});
  }
  feed(set, object, op);
}

void Service::release_held(Set& set, ObjectId object) noexcept {
  if (HolderEntry* const entry = set.holders.find(object)) entry->held = false;
  const auto ours = [&](const Note& note) { return note.set == &set && note.object == object; };
  std::vector<Note> begin;
  std::copy_if(deferred_.begin(), deferred_.end(), std::back_inserter(begin), ours);
  std::erase_if(deferred_, ours);
  if (set.gone) return;
  // Lets tasks in again, too.
  recheck_object(set, object);
  for (const Note& note : begin) {
    if (ops_.find(note.message.op) != nullptr) feed(set, object, note.message);
  }
}

void Service::abandon(Set& set, ObjectId object, std::uint32_t op) noexcept {
  ops_.remove(op);
  const Place place = place_of(set, object);
  Set::Halves at = look(set, object, place.home == place.self, false);
  Part part = set.take(at, object, place);
  cancel(part, op);
  set.give(at, object, std::move(part));
  copies_.rest(set, at.holder);
}

Lease Service::hit(Set& set, ObjectId object, bool writes) noexcept {
  HolderEntry* const entry = settled_ ? set.holders.find(object) : nullptr;
  if (entry == nullptr || entry->slot != kNoSlot || entry->held) return {};
  if (writes && entry->block.is_frozen()) return {};
  if (!begin_hit(entry->holder, writes)) return {};
  entry->readers = entry->holder.readers;
  entry->writer = entry->holder.writer;
  entry->used = true;
  return Lease(*this, set, object, entry->block, writes);
}

void Service::end_lease(Set& set, ObjectId object, bool writes) noexcept {
  if (set.gone) return;
  HolderEntry* const entry = set.waiting.empty() ? set.holders.find(object) : nullptr;
  if (entry != nullptr && entry->slot == kNoSlot && !entry->waiting &&
      end_hit(entry->holder, writes)) {
    entry->readers = entry->holder.readers;
    entry->writer = entry->holder.writer;
    return;
  }
  feed(set, object, {.kind = writes ? Kind::op_put_write : Kind::op_put_read});
}

Block Service::block_of(Set& set, ObjectId object) noexcept {
  HolderEntry* const entry = set.holders.find(object);
  return entry == nullptr ? Block() : copies_.pin(*entry);
}

Status Service::resize(Set& set, ObjectId object, std::size_t size) noexcept {
  HolderEntry* const entry = set.holders.find(object);
  // A wrong message has taken it: a fault of the protocol, reported when the lease is put.
  if (entry == nullptr || !entry->writer) return Error(Errc::lost, "the lease was taken away");
  const std::size_t before = copies_.bytes(*entry).size();
  if (size > before && !is_directory(set.id) && !room_.fits(size - before, Room::For::copy)) {
    room_.look();
    return Error(Errc::no_space, "this node's memory for shared objects is full");
  }
  KRG_TRY(copies_.resize(*entry, size));
  room_.look();
  return {};
}

Lease Service::lease(Service& service, Set& set, ObjectId object, Block block, bool writes) {
  return Lease(service, set, object, std::move(block), writes);
}

void Service::finish(Set& set, ObjectId object, std::uint32_t number, Answer answer) noexcept {
  const Errc how = to_errc(answer);
  if (how == Errc::lost) counters_.lost->add();
  Status result = how == Errc::ok ? Status() : Status(Error(how));
  if (answer == Answer::failed) result = take_failure(set, object);
  if (PendingOp* const op = ops_.find(number)) op->complete(result, false, false, {});
}

void Service::watch() noexcept {
  if (watching_) return;
  watching_ = true;
  reactor().add_timer(*this, reactor().after(kLook));
}

void Service::on_timer() noexcept {
  watching_ = false;
  if (const Status may = may_serve(); !may && !draining_) ops_.give_up_all(may.error());
  sweep();
  take_held_back();
  if (ops_.size() > 0 || !held_back_.empty() || (store() != nullptr && store()->waiting() > 0))
    watch();
}

// --- Tasks --------------------------------------------------------------------------------------

void Service::recheck_object(Set& set, ObjectId object) noexcept {
  const Place place = place_of(set, object);
  with_part(set, look(set, object, place.home == place.self, false), object, place, nullptr,
            [&](Part& part, Actions& actions) { recheck(place, part, actions); });
  drain();
}

Result<Grant> Service::hand_over(Lease lease, TaskIndex task, const bool* others) {
  Set& set = *lease.set_;
  HolderEntry* entry = set.gone ? nullptr : set.holders.find(lease.object_);
  if (entry == nullptr) return Error(Errc::not_found, "the set was destroyed");
  const bool tasks_ended = copies_.look(set, *entry);
  const auto kind = lease.writes_ ? LeaseKind::write : LeaseKind::read;
  const Result<Grant> grant = copies_.hand_over(set, *entry, task, kind);
  if (grant) {
    lease.service_ = nullptr;
    lease.block_ = {};
    if (others != nullptr && *others) store()->fight_for(grant->handle.slot);
  }
  copies_.let(set, *entry);
  copies_.rest(set, entry);
  if (tasks_ended) recheck_object(set, lease.object_);
  return grant;
}

Copies::Seen Service::seen_at(Set* set, SlotId slot) const noexcept {
  if (set == nullptr || set->gone) return {};
  const Copies::Seen seen = copies_.see(*set, store()->object_of(slot));
  return seen.slot == slot ? seen : Copies::Seen{};
}

Result<Grant> Service::resize_for(TaskIndex task, SlotId slot, std::uint32_t lease,
                                  std::size_t size, Errc& how) {
  const Error wrong(Errc::invalid_argument, "the task has no such lease for writing");
  if (store() == nullptr || !store()->in_use(slot)) return wrong;
  Set* const set = find_set(store()->set_of(slot));
  if (seen_at(set, slot).slot == kNoSlot) return wrong;
  const ObjectId object = store()->object_of(slot);
  HolderEntry* entry = copies_.find(*set, object);
  const SetOptions& options = set->options;
  const bool possible = options.variable_size && size <= options.object_bytes;
  const bool tasks_ended = copies_.look(*set, *entry);
  Result<Grant> grant = copies_.resize_for(*entry, task, lease, size, possible, how);
  copies_.let(*set, *entry);
  copies_.rest(*set, entry);
  if (tasks_ended || !grant) recheck_object(*set, object);
  return grant;
}

void Service::sweep() noexcept {
  if (store() == nullptr || store()->waiting() == 0) return;
  std::vector<SlotId> idle;
  store()->sweep(idle);
  tasks_ended(idle);
}

void Service::tasks_ended(const std::vector<SlotId>& idle) noexcept {
  for (const SlotId slot : idle) {
    if (!store()->in_use(slot)) continue;
    Set* const set = find_set(store()->set_of(slot));
    if (seen_at(set, slot).slot == kNoSlot) {
      copies_.forget(slot);
    } else {
      recheck_object(*set, store()->object_of(slot));
    }
  }
}

void Service::window_over(SlotId slot) noexcept {
  if (!store()->in_use(slot)) return;
  Set* const set = find_set(store()->set_of(slot));
  if (seen_at(set, slot).slot != kNoSlot) recheck_object(*set, store()->object_of(slot));
}

// --- One input ----------------------------------------------------------------------------------

void Service::feed(Set& set, ObjectId object, Message in, Arrived* data) noexcept {
  if (in.epoch.value == 0) in.epoch = epoch_;
  feed_one(set, object, in, data);
  drain();
}

// Steps that come out of a step are taken one after the other, never within each other.
void Service::drain() noexcept {
  if (busy_) return;
  busy_ = true;
  while (!notes_.empty()) {
    const Note note = notes_.pop_front();
    if (note.set == nullptr) {
      on_reported(options_.self, asks_all_);
    } else if (note.message.epoch == epoch_ && !note.set->gone) {
      feed_one(*note.set, note.object, note.message, nullptr);
    }
  }
  busy_ = false;
}

void Service::feed_one(Set& set, ObjectId object, const Message& in, Arrived* data) noexcept {
  const Place place = place_of(set, object);
  // An heir's note is of no concern to its holder.
  const bool here = place.home == place.self;
  // Who is asked in a new view says what it has noted as an heir, too.
  const bool asks_home = role_of(in.kind) == Role::home || in.kind == Kind::inquire;
  Set::Halves at = look(set, object, here, (here && !settled()) || asks_home);
  if (!settled() && here && !is_certain(set, object, place)) {
    if (!set.reporters.contains(object)) {
      begin_rebuild(set, object);
      at = look(set, object, true, true);
    }
    const bool counts = in.kind == Kind::report && in.has(kTold) == asks_all_;
    if (counts) set.reporters[object].insert(in.from);
  }
  if (refuses_to_give_up(at, in, place)) {
    send(set, object, at.holder, in.from,
         {.kind = Kind::answer, .status = Answer::full, .from = place.self, .epoch = epoch_});
    copies_.rest(set, at.holder);
    return;
  }
  with_part(set, at, object, place, data, [&](Part& part, Actions& actions) {
    const StepResult result = step(place, part, in, actions);
    if (result.outcome == Outcome::impossible) report_impossible(set, object, in, result.why);
  });
}

void Service::report_impossible(const Set& set, ObjectId object, const Message& in,
                                const char* why) noexcept {
  counters_.impossible->add();
  KRG_ERROR("kddm set {} object {}: {} from node {} in epoch {}: {}; it is dropped", set.id.value,
            object.value, name_of(in.kind), in.from.value, in.epoch.value,
            why == nullptr ? "impossible" : why);
}

bool Service::is_to_a_member(const Set& set, ObjectId object, const Action& action) noexcept {
  if (now_.members.contains(action.to)) [[likely]] {
    return true;
  }
  counters_.impossible->add();
  const std::string to = action.to == kNoNode ? "nobody" : fmt::format("node {}", action.to.value);
  KRG_ERROR("kddm set {} object {}: {} to {} in epoch {}: no member; it is not sent", set.id.value,
            object.value, name_of(action.message.kind), to, epoch_.value);
  return false;
}

// --- What comes out -----------------------------------------------------------------------------

void Service::perform(Set& set, ObjectId object, HolderEntry*& entry, const Actions& actions,
                      Arrived* data) noexcept {
  for (const Action& action : actions) {
    switch (action.what) {
      case Action::Do::send:
        if (!is_to_a_member(set, object, action)) break;
        if (action.to != options_.self && Late::may_be(action.message, actions)) {
          late_.add(set, object, action.to, action.message);
        } else {
          send(set, object, entry, action.to, action.message);
        }
        break;
      case Action::Do::install:
        install(set, entry, data);
        break;
      case Action::Do::drop:
        drop(set, entry);
        break;
      case Action::Do::fill:
        begin_fill(set, entry, action.message.has(kManual));
        break;
      case Action::Do::lease:
        if (PendingOp* const op = ops_.find(action.message.op)) {
          begin_lease(set, *entry, *op, action.message.has(kForWrite));
        }
        break;
      case Action::Do::finish:
        finish(set, object, action.message.op, action.message.status);
        break;
    }
  }
}

void Service::begin_lease(Set& set, HolderEntry& entry, PendingOp& op, bool writes) noexcept {
  entry.used = true;
  if (set.resident) copies_.settle(set, entry);
  const Status own = writes ? copies_.break_for_writer(entry) : Status();
  if (own) return op.complete({}, true, writes, copies_.pin(entry));
  op.complete(own, false, false, {});
  const Message put{.kind = Kind::op_put_write, .from = options_.self, .epoch = epoch_};
  notes_.push_back({&set, entry.id, put});
}

void Service::send(Set& set, ObjectId object, HolderEntry* entry, NodeId to,
                   const Message& message) noexcept {
  if (to == options_.self) {
    notes_.push_back({&set, object, message});
    return;
  }
  late_.go_before(set, object, to);
  if (!set.introduced.contains(to)) {
    set.introduced.insert(to);
    channels_.send(to, encode(set.id, set.options));
  }
  Block block;  // Until the message has gone: a copied Data borrows its bytes.
  Data data;
  if (message.kind == Kind::data) {
    if (entry != nullptr) block = copies_.stable_bytes(set, *entry);
    counters_.data_bytes_sent->add(block.size());
    data = block.size() <= kCopiedMax ? Data::copied(block.bytes()) : block.share();
  }
  counters_.sent->add();
  Envelope envelope{set.id, object, message};
  if (message.kind == Kind::answer && message.status == Answer::failed) {
    envelope.message.count = static_cast<std::uint32_t>(take_failure(set, object).code());
  }
  channels_.send(to, encode(envelope), std::move(data));
}

void Service::install(Set& set, HolderEntry* entry, Arrived* data) noexcept {
  if (entry == nullptr) return;  // It went in the same step.
  Arrived none;
  copies_.install(set, *entry, data == nullptr ? none : *data);
  room_.look();
  if (set.linker != nullptr) set.linker->arrived(set.id, entry->id, copies_.bytes(*entry));
}

void Service::drop(Set& set, HolderEntry*& entry) noexcept {
  if (entry == nullptr) return;
  counters_.invalidated->add();
  if (set.linker != nullptr) set.linker->given_up(set.id, entry->id, copies_.bytes(*entry));
  copies_.drop(set, *entry);
  const Holder& holder = entry->holder;
  if (holder.copy == Copy::none && holder.asks == Asks::nothing && !holder.in_use()) {
    set.holders.erase(entry->id);
    entry = nullptr;
  }
}

// --- What comes in ------------------------------------------------------------------------------

void Service::on_message(NodeId from, Epoch epoch, wire::Bytes head, Arrived data) {
  KRG_DASSERT(epoch == epoch_);
  static_cast<void>(epoch);
  const auto word = word_of(head);
  if (!word) return malformed(from, "no known word");
  switch (*word) {
    case Word::object:
      return on_object(from, head, data);
    case Word::introduce:
      return on_introduction(head);
    case Word::reported:
    case Word::told_all:
      on_reported(from, *word == Word::told_all);
      return drain();
    case Word::tell_all:
      return tell_all(from);
  }
}

void Service::on_object(NodeId from, wire::Bytes head, Arrived& data) {
  auto envelope = decode_envelope(head);
  if (!envelope) return malformed(from, "not a message about an object");
  Set* const set = find_set(envelope->set);
  if (set == nullptr) return malformed(from, "a set that was not introduced");
  Message& message = envelope->message;
  message.from = from;
  message.epoch = epoch_;
  counters_.received->add();
  if (set->gone) {
    if (is_request(message.kind)) {
      send(*set, envelope->object, nullptr, from,
           {.kind = Kind::answer, .status = Answer::absent, .from = options_.self});
    }
    return;
  }
  if (!fits(*set, message, data.size())) return malformed(from, "bytes of a wrong size");
  if (message.kind == Kind::answer && message.status == Answer::failed) {
    take_note_of_failure(*set, envelope->object, message);
  }
  if (message.kind == Kind::data && hold_back(*set, envelope->object, message, data)) return;
  feed(*set, envelope->object, message, &data);
}

bool Service::fits(const Set& set, const Message& message, std::size_t size) const noexcept {
  if (message.kind != Kind::data) return size == 0;
  return set.options.variable_size ? size <= set.options.object_bytes
                                   : size == set.options.object_bytes;
}

void Service::on_introduction(wire::Bytes head) {
  auto introduction = decode_introduction(head);
  if (!introduction) return malformed(kNoNode, "not the options of a set");
  add_set(introduction->set, std::move(introduction->options));
}

void Service::malformed(NodeId from, const char* what) noexcept {
  counters_.refused->add();
  KRG_ERROR("kddm: node {} sent {}; it is dropped", from.value, what);
}

}  // namespace krg::kddm
