#include "krg/kddm/kddm.h"

#include <utility>

#include "backing.h"
#include "service.h"
#include "sets.h"

namespace krg::kddm {
namespace {

// A new object of variable size is as large as its maker says.
Result<Lease> sized(Lease lease, const OpOptions& options) {
  if (options.manual_touch && options.touch_bytes > 0 && lease.bytes().empty()) {
    KRG_TRY(lease.resize(options.touch_bytes));
  }
  return lease;
}

}  // namespace

Status check(Kind kind, const OpOptions& options) noexcept {
  if (kind != Kind::op_get || !options.manual_touch) return {};
  return Error(Errc::invalid_argument, "a manual first touch is for who grabs");
}

Kddm::Kddm(rpc::Rpc& rpc, KddmOptions options)
    : service_(std::make_unique<Service>(rpc, std::move(options))) {
  serve();
}

Kddm::~Kddm() = default;

void Kddm::add_linker(Linker& linker) { service_->add_linker(linker); }

void Kddm::enter(const cluster::View& view) { service_->enter(view); }

// --- Objects ------------------------------------------------------------------------------------

Co<Result<Lease>> Kddm::lease(Kind kind, SetId id, ObjectId object, OpOptions options) {
  Result<Set*> known = know(id, object);
  if (known && *known == nullptr) known = co_await learn(id, object, options.deadline);
  if (!known) co_return known.error();
  Set* const set = *known;
  KRG_CO_TRY(check(kind, options));
  Counters& counters = service_->counters();
  (kind == Kind::op_get ? counters.gets : counters.grabs)->add();
  if (Lease hit = service_->hit(*set, object, kind == Kind::op_grab)) {
    counters.hits->add();
    co_return sized(std::move(hit), options);
  }
  const std::uint64_t bytes = service_->missing_bytes(*set, object);
  // What is here may be used, however full the node is.
  const bool free = is_directory(id) || service_->has_bytes(*set, object);
  if (!free && !service_->room().fits(bytes, Room::For::copy)) {
    KRG_CO_TRY(co_await service_->room().make(bytes, Room::For::copy, options.deadline));
  }
  const Room::Promise promise(service_->room(), bytes);
  const std::uint64_t sent = counters.sent->value();
  const Message message{.kind = kind, .flags = flags_of(options)};
  Op op(*service_, *set, object, message, options.deadline);
  KRG_CO_TRY(co_await op);
  // It may have come after this node was excluded, from one that has not heard of that yet.
  const Status serves = service_->serves();
  if (!serves) {
    service_->end_lease(*set, object, kind == Kind::op_grab);
    co_return serves.error();
  }
  if (counters.sent->value() == sent) counters.hits->add();
  co_return sized(Service::lease(*service_, *set, object, op.take_block(), kind == Kind::op_grab),
                  options);
}

Co<Status> Kddm::simple(Kind kind, SetId id, ObjectId object, OpOptions options, NodeId to,
                        std::uint16_t flags) {
  Result<Set*> known = know(id, object);
  if (known && *known == nullptr) known = co_await learn(id, object, options.deadline);
  if (!known) co_return known.error();
  Set* const set = *known;
  KRG_CO_TRY(check(kind, options));
  const auto all = static_cast<std::uint16_t>(flags | flags_of(options));
  const Message message{.kind = kind, .flags = all, .node = to};
  co_return co_await Op(*service_, *set, object, message, options.deadline);
}

Co<Result<Lease>> Kddm::get(SetId set, ObjectId object, OpOptions options) {
  return lease(Kind::op_get, set, object, options);
}

Co<Result<Lease>> Kddm::grab(SetId set, ObjectId object, OpOptions options) {
  return lease(Kind::op_grab, set, object, options);
}

Co<Status> Kddm::prefetch(SetId set, ObjectId object, OpOptions options) {
  return simple(Kind::op_get, set, object, options, kNoNode, kNoFreeze);
}

Co<Status> Kddm::flush(SetId set, ObjectId object, OpOptions options, NodeId to) {
  service_->counters().flushes->add();
  KRG_CO_TRY(co_await may_serve(options.deadline));
  KRG_CO_TRY(co_await service_->drain_of_others().may_move(options.deadline));
  const Drain::Moving moving(service_->drain_of_others());
  Set* const known = service_->find_set(set);
  if (known != nullptr && !known->gone && Backing::is_backed(*known) && find(set, object)) {
    KRG_CO_TRY(co_await service_->backing().write_back(*known, object, options.deadline));
  }
  co_return co_await simple(Kind::op_flush, set, object, options, to);
}

Co<Status> Kddm::sync(SetId set, ObjectId object, OpOptions options) {
  service_->counters().syncs->add();
  KRG_CO_TRY(co_await may_serve(options.deadline));
  KRG_CO_TRY(co_await service_->drain_of_others().may_move(options.deadline));
  const Drain::Moving moving(service_->drain_of_others());
  KRG_CO_TRY(co_await simple(Kind::op_sync, set, object, options));
  Set* const known = service_->find_set(set);
  if (known == nullptr || !Backing::is_backed(*known)) co_return Status();
  co_return co_await service_->backing().write_back(*known, object, options.deadline);
}

Co<Status> Kddm::sync(SetId id, Deadline deadline) {
  Result<Set*> known = know(id, ObjectId{0});
  if (known && *known == nullptr) known = co_await learn(id, ObjectId{0}, deadline);
  if (!known) co_return known.error();
  if (!Backing::is_backed(**known)) {
    co_return Error(Errc::not_supported, "the set's objects last nowhere but in memory");
  }
  co_return co_await service_->backing().write_all_back(**known, deadline);
}

Co<Status> Kddm::remove(SetId set, ObjectId object, OpOptions options) {
  service_->counters().removes->add();
  return simple(Kind::op_remove, set, object, options);
}

Co<Result<NodeId>> Kddm::home_of(SetId set, ObjectId object, Deadline deadline) {
  Result<Set*> known = know(set, object);
  if (known && *known == nullptr) known = co_await learn(set, object, deadline);
  if (!known) co_return known.error();
  co_return service_->home_of(**known, object);
}

const SetOptions* Kddm::options_here(SetId id) const noexcept {
  const Set* const set = service_->find_set(id);
  return set == nullptr || set->gone ? nullptr : &set->options;
}

bool Kddm::find(SetId id, ObjectId object) const noexcept {
  Set* const set = service_->find_set(id);
  if (set == nullptr) return false;
  const Copy copy = service_->copies().see(*set, object).holder.copy;
  return copy == Copy::read || copy == Copy::write;
}

// --- Tasks --------------------------------------------------------------------------------------

Co<Result<Grant>> Kddm::lease_for(TaskIndex task, LeaseKind kind, SetId set, ObjectId object,
                                  OpOptions options, const bool* others) {
  const Kind op = kind == LeaseKind::write ? Kind::op_grab : Kind::op_get;
  for (;;) {
    Result<Lease> leased = co_await lease(op, set, object, options);
    if (!leased) co_return leased.error();
    Result<Grant> grant = service_->hand_over(std::move(*leased), task, others);
    if (grant || grant.error().code() != Errc::no_space) co_return grant;
    // It lies on the heap, for the memory that tasks share is full.
    KRG_CO_TRY(co_await service_->room().make_some(options.deadline));
  }
}

Result<Grant> Kddm::resize_for(TaskIndex task, SlotId slot, std::uint32_t lease, std::size_t size,
                               Errc& how) {
  return service_->resize_for(task, slot, lease, size, how);
}

void Kddm::use_store(NodeStore& store) noexcept { service_->use_store(store); }

void Kddm::on_ring() noexcept { service_->sweep(); }

void Kddm::on_released(const NodeStore::Released& released) noexcept {
  service_->tasks_ended(released.idle);
}

// --- Views --------------------------------------------------------------------------------------

void Kddm::commit(const cluster::ViewChange& change) noexcept {
  if (change.after.contains(service_->self())) service_->enter(change.after);
}

// --- For people ---------------------------------------------------------------------------------

std::vector<ObjectState> Kddm::dump() const {
  std::vector<ObjectState> all;
  const Copies& copies = service_->copies();
  service_->for_each_set([&](Set& set) {
    for (const ObjectId object : copies.objects(set)) {
      ObjectState state{.set = set.id, .object = object, .holder = {}, .home = {}};
      const Copies::Seen seen = copies.see(set, object);
      state.holder = seen.holder;
      state.size = copies.bytes(seen).size();
      if (const HomeEntry* entry = set.homes.find(object)) state.home = entry->home;
      all.push_back(std::move(state));
    }
  });
  return all;
}

std::size_t Kddm::pending() const noexcept { return service_->ops().size(); }

Epoch Kddm::epoch() const noexcept { return service_->epoch(); }
const cluster::NodeSet& Kddm::members() const noexcept { return service_->members(); }

std::uint64_t Kddm::used_bytes() const noexcept { return service_->used_bytes(); }

MemoryUse Kddm::memory_use() const noexcept {
  const Counters& counters = service_->counters();
  return {service_->room().limit(), service_->used_bytes(), counters.evicted->value(),
          counters.moved->value()};
}

bool Kddm::settled() const noexcept { return service_->settled(); }

}  // namespace krg::kddm
