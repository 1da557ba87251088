#include "service.h"

#include <utility>

#include "krg/log/log.h"

namespace krg::kddm {
namespace {

// How often ops that wait look whether this node may still serve.
constexpr Duration kServeCheck = std::chrono::milliseconds(50);

bool is_request(Kind kind) noexcept { return kind <= Kind::remove; }

}  // namespace

Service::Service(rpc::Rpc& rpc, KddmOptions options)
    : rpc_(rpc), options_(std::move(options)), counters_(options_.stats), channels_(rpc, *this) {
  add_linker(memory_linker_);
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
  const auto at = sets_.find(id);
  return at == sets_.end() ? nullptr : at->second.get();
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
  }
  return *set;
}

void Service::bury(SetId id) {
  Set& set = add_set(id, SetOptions{});
  if (set.gone) return;
  if (set.linker != nullptr) {
    set.holders.for_each([&](const HolderEntry& entry) {
      if (entry.block) set.linker->removed(set.id, entry.id);
    });
  }
  set.bury();
  ops_.give_up_of(set, Error(Errc::not_found, "the set was destroyed"));
}

// --- Operations ---------------------------------------------------------------------------------

void Service::start(Set& set, ObjectId object, Message op) noexcept {
  if (!watching_) {
    watching_ = true;
    reactor().add_timer(*this, reactor().after(kServeCheck));
  }
  feed(set, object, op);
}

void Service::abandon(Set& set, ObjectId object, std::uint32_t op) noexcept {
  ops_.remove(op);
  const Place place = place_of(set, object);
  Part part = set.take(object, place);
  cancel(part, op);
  set.give(object, place, std::move(part));
}

void Service::end_lease(Set& set, ObjectId object, bool writes) noexcept {
  if (set.gone) return;
  feed(set, object, {.kind = writes ? Kind::op_put_write : Kind::op_put_read});
}

Block Service::block_of(Set& set, ObjectId object) noexcept {
  const HolderEntry* entry = set.holders.find(object);
  return entry == nullptr ? Block() : entry->block;
}

void Service::replace_block(Set& set, ObjectId object, Block block) noexcept {
  if (HolderEntry* entry = set.holders.find(object)) entry->block = std::move(block);
}

Lease Service::lease(Service& service, Set& set, ObjectId object, bool writes) {
  return Lease(service, set, object, service.block_of(set, object), writes);
}

void Service::complete(std::uint32_t number, Status how, bool leased, bool writes) noexcept {
  if (!how && how.error().code() == Errc::lost) counters_.lost->add();
  if (Op* op = ops_.find(number)) op->complete(how, leased, writes);
}

void Service::on_timer() noexcept {
  watching_ = false;
  if (const Status may = may_serve(); !may && !draining_) ops_.give_up_all(may.error());
  if (ops_.size() == 0) return;
  watching_ = true;
  reactor().add_timer(*this, reactor().after(kServeCheck));
}

// --- One input ----------------------------------------------------------------------------------

Place Service::place_of(const Set& set, ObjectId object) const noexcept {
  Homes homes;
  if (set.options.policy == HomePolicy::linker) {
    const NodeId preferred =
        set.linker == nullptr ? kNoNode : set.linker->preferred_home(set.id, object);
    homes = preferred == kNoNode ? ring_.homes(set.id, object) : homes_near(preferred, members_);
  } else {
    homes = homes_of(set.options, set.id, object, ring_, members_);
  }
  return {.epoch = epoch_,
          .self = options_.self,
          .home = homes.home,
          .heir = homes.heir,
          .members = &members_,
          .copies = set.options.copies,
          .touch_at_home = set.options.has(SetFlag::touch_at_home)};
}

void Service::feed(Set& set, ObjectId object, Message in, Block data) noexcept {
  if (in.epoch.value == 0) in.epoch = epoch_;
  feed_one(set, object, in, std::move(data));
  drain();
}

// Steps that come out of a step are taken one after the other, never within each other.
void Service::drain() noexcept {
  if (busy_) return;
  busy_ = true;
  while (!notes_.empty()) {
    const Note note = notes_.pop_front();
    if (note.set == nullptr) {
      on_reported(options_.self);
    } else if (note.message.epoch == epoch_ && !note.set->gone) {
      feed_one(*note.set, note.object, note.message, {});
    }
  }
  busy_ = false;
}

void Service::feed_one(Set& set, ObjectId object, const Message& in, Block data) noexcept {
  const Place place = place_of(set, object);
  if (!settled() && place.home == place.self && !set.reporters.contains(object)) {
    begin_rebuild(set, object);
  }
  if (in.kind == Kind::report && !settled()) set.reporters[object].insert(in.from);
  Part part = set.take(object, place);
  Actions actions = std::exchange(actions_, {});
  const StepResult result = step(place, part, in, actions);
  set.give(object, place, std::move(part));
  if (result.outcome == Outcome::impossible) report_impossible(set, object, in, result.why);
  perform(set, object, actions, data);
  actions.clear();
  actions_ = std::move(actions);
}

void Service::report_impossible(const Set& set, ObjectId object, const Message& in,
                                const char* why) noexcept {
  counters_.impossible->add();
  KRG_ERROR("kddm set {} object {}: {} from node {} in epoch {}: {}; it is dropped", set.id.value,
            object.value, name_of(in.kind), in.from.value, in.epoch.value,
            why == nullptr ? "impossible" : why);
}

// --- What comes out -----------------------------------------------------------------------------

void Service::perform(Set& set, ObjectId object, const Actions& actions,
                      const Block& data) noexcept {
  for (const Action& action : actions) {
    switch (action.what) {
      case Action::Do::send:
        send(set, object, action.to, action.message);
        break;
      case Action::Do::install:
        install(set, object, data);
        break;
      case Action::Do::drop:
        drop(set, object);
        break;
      case Action::Do::fill:
        begin_fill(set, object);
        break;
      case Action::Do::lease:
        complete(action.message.op, {}, true, action.message.has(kForWrite));
        break;
      case Action::Do::finish: {
        const Errc how = to_errc(action.message.status);
        complete(action.message.op, how == Errc::ok ? Status() : Status(Error(how)), false, false);
        break;
      }
    }
  }
}

void Service::send(Set& set, ObjectId object, NodeId to, const Message& message) noexcept {
  if (to == options_.self) {
    notes_.push_back({&set, object, message});
    return;
  }
  if (!set.introduced.contains(to)) {
    set.introduced.insert(to);
    channels_.send(to, encode(set.id, set.options));
  }
  Data data;
  if (message.kind == Kind::data) {
    const Block block = block_of(set, object);
    counters_.data_bytes_sent->add(block.size());
    if (block.size() <= Channels::kSmallMax - kEnvelopeBytes) {
      data = Data::copied(block.bytes());
    } else {
      data = Data::shared(std::make_shared<Block>(block), block.bytes());
    }
  }
  counters_.sent->add();
  channels_.send(to, encode(Envelope{set.id, object, message}), std::move(data));
}

void Service::install(Set& set, ObjectId object, const Block& data) noexcept {
  HolderEntry* const entry = set.holders.find(object);
  if (entry == nullptr) return;  // It went in the same step.
  entry->block = data;
  if (set.linker != nullptr) set.linker->arrived(set.id, object, entry->block.bytes());
}

void Service::drop(Set& set, ObjectId object) noexcept {
  HolderEntry* const entry = set.holders.find(object);
  if (entry == nullptr) return;
  counters_.invalidated->add();
  if (set.linker != nullptr) set.linker->given_up(set.id, object, entry->block.bytes());
  entry->block = {};
  const Holder& holder = entry->holder;
  if (holder.copy == Copy::none && holder.asks == Asks::nothing && !holder.in_use()) {
    set.holders.erase(object);
  }
}

void Service::begin_fill(Set& set, ObjectId object) noexcept {
  HolderEntry* const entry = set.holders.find(object);
  if (entry == nullptr) return;
  const std::size_t size = set.options.variable_size ? 0 : set.options.object_bytes;
  counters_.first_touches->add();
  entry->block = Block::make(size);
  if (!entry->block || set.linker == nullptr) {
    notes_.push_back(
        {&set, object, {.kind = Kind::op_fill_failed, .from = options_.self, .epoch = epoch_}});
    return;
  }
  reactor().spawn(fill(set, object, entry->block, epoch_));
}

Co<void> Service::fill(Set& set, ObjectId object, Block block, Epoch epoch) {
  const Status how = co_await set.linker->first_touch(set.id, object, block.bytes());
  if (!how) {
    KRG_WARN("kddm set {} object {}: first touch: {}", set.id.value, object.value,
             how.error().message());
  }
  if (epoch != epoch_ || set.gone) co_return;
  feed(set, object,
       {.kind = how ? Kind::op_filled : Kind::op_fill_failed,
        .from = options_.self,
        .epoch = epoch});
}

// --- What comes in ------------------------------------------------------------------------------

void Service::on_message(NodeId from, Epoch epoch, wire::Bytes head, rpc::Buffer data) {
  KRG_DASSERT(epoch == epoch_);
  static_cast<void>(epoch);
  const auto word = word_of(head);
  if (!word) return malformed(from, "no known word");
  switch (*word) {
    case Word::object:
      return on_object(from, head, std::move(data));
    case Word::introduce:
      return on_introduction(head);
    case Word::reported:
      on_reported(from);
      return drain();
  }
}

void Service::on_object(NodeId from, wire::Bytes head, rpc::Buffer data) {
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
      send(*set, envelope->object, from,
           {.kind = Kind::answer, .status = Answer::absent, .from = options_.self});
    }
    return;
  }
  if (!fits(*set, message, data.size())) return malformed(from, "bytes of a wrong size");
  Block block;
  if (message.kind == Kind::data) {
    block = Block::adopt(std::move(data));
    if (!block) return malformed(from, "data for which there is no memory");
  }
  feed(*set, envelope->object, message, std::move(block));
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
