#include "sets.h"

#include <algorithm>

#include "krg/kddm/kddm.h"
#include "krg/reactor/event.h"
#include "krg/rpc/multicast.h"
#include "service.h"

namespace krg::kddm {
namespace {

constexpr std::uint64_t kDirectoryEntryMax = std::uint64_t{1} << 20;
constexpr std::size_t kNameMax = 255;
// How often a node looks whether it has become a member.
constexpr Duration kFirstLease = std::chrono::milliseconds(5);

}  // namespace

Status check_name(const std::string& name) {
  if (!name.empty() && name.size() <= kNameMax) return {};
  return Error(Errc::invalid_argument, "a name has 1 to 255 bytes");
}

Result<Names> names_in(const Lease& lease) {
  if (lease.bytes().empty()) return Names{};
  return wire::decode<Names>(lease.bytes());
}

SetOptions directory_options() {
  SetOptions options;
  options.object_bytes = kDirectoryEntryMax;
  options.variable_size = true;
  options.copies = 3;
  return options;
}

// FNV-1a: two names of one hash share an object.
ObjectId object_of(NameSpaceId name_space, std::string_view name) noexcept {
  constexpr std::uint64_t kPrime = 0x100000001b3u;
  std::uint64_t hash = (0xcbf29ce484222325u ^ name_space.value) * kPrime;
  for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * kPrime;
  return ObjectId{hash >> 1};
}

SetId Names::find(NameSpaceId name_space, std::string_view name) const noexcept {
  for (const Entry& entry : entries) {
    if (entry.is(name_space, name)) return entry.set;
  }
  return kNoSet;
}

void Kddm::serve() {
  serve_leaves();
  serve_name_spaces();
  service_->rpc().serve<AskRoom>(
      [this](rpc::Incoming&, AskRoom::Request& asks) -> Result<AskRoom::Reply> {
        return AskRoom::Reply{service_->room().spare_bytes(asks.used)};
      });
  service_->add_set(kSets, directory_options());
  service_->add_set(kNames, directory_options());
  service_->rpc().serve<DropSet>(
      [this](rpc::Incoming&, DropSet::Request& request) -> Result<wire::Empty> {
        if (is_directory(request.set)) return Error(Errc::denied);
        service_->bury(request.set);
        return wire::Empty{};
      });
}

// A node that has never served yet waits until it may; one that may no longer, or that never will,
// says so at once.
bool Kddm::may_serve_later(const Status& may) const noexcept {
  const Errc code = may.error().code();
  return !has_served_ && code != Errc::shutting_down && code != Errc::stale;
}

Co<Status> Kddm::may_serve(Deadline deadline) {
  for (;;) {
    const Status may = service_->may_serve();
    if (may) has_served_ = true;
    if (may || !may_serve_later(may)) co_return may;
    if (deadline.passed(service_->reactor().now())) co_return may;
    co_await reactor::sleep_for(service_->reactor(), kFirstLease);
  }
}

// The set, if this node may serve and the object can be one of its; nullptr if it is not known yet,
// or if the node has still to become a member.
Result<Set*> Kddm::know(SetId id, ObjectId object) {
  if (const Status may = service_->may_serve(); !may) {
    if (!may_serve_later(may)) return may.error();
    return static_cast<Set*>(nullptr);
  }
  has_served_ = true;
  Set* const set = service_->find_set(id);
  if (set == nullptr) return set;
  if (set->gone) return Error(Errc::not_found, "no such set");
  if (object.value >= set->options.object_count) {
    return Error(Errc::invalid_argument, "an object id that is not in the set");
  }
  return set;
}

Co<Result<Set*>> Kddm::learn(SetId id, ObjectId object, Deadline deadline) {
  KRG_CO_TRY(co_await may_serve(deadline));
  if (service_->find_set(id) == nullptr) {
    KRG_CO_TRY_ASSIGN(const SetOptions options, co_await options_of(id, deadline));
    service_->add_set(id, options);
  }
  co_return know(id, object);
}

Co<Result<SetOptions>> Kddm::options_of(SetId id, Deadline deadline) {
  const Set* const set = service_->find_set(id);
  if (set != nullptr && set->gone) co_return Error(Errc::not_found, "no such set");
  if (set != nullptr) co_return set->options;
  if (id == kNoSet) co_return Error(Errc::not_found, "no such set");
  const Result<Lease> entry =
      co_await lease(Kind::op_get, kSets, ObjectId{id.value}, {deadline, false, true});
  if (!entry) co_return entry.error();
  if (entry->bytes().empty()) co_return Error(Errc::not_found, "no such set");
  co_return wire::decode<SetOptions>(entry->bytes());
}

Co<Result<SetId>> Kddm::create(SetOptions options, Deadline deadline, SetId wanted) {
  KRG_CO_TRY(check(options));
  const Linker* const linker = service_->linker(options.linker);
  if (linker == nullptr) co_return Error(Errc::invalid_argument, "no linker of this name");
  KRG_CO_TRY(linker->accepts(options));
  if (wanted != kNoSet && (!is_reserved(wanted) || is_directory(wanted))) {
    co_return Error(Errc::invalid_argument, "a set id that may not be chosen");
  }
  KRG_CO_TRY_ASSIGN(const Lease held, co_await hold_name_space(options.name_space, deadline));
  for (;;) {
    // Two lives of a node make different ids; should they not, the next one is tried.
    const std::uint64_t life = service_->rpc().self().incarnation.value & 0xffff;
    const SetId id = wanted != kNoSet
                         ? wanted
                         : make_set_id(service_->self(), life << 24 | (++sets_made_ & 0xffffff));
    const ObjectId entry{id.value};
    KRG_CO_TRY_ASSIGN(Lease lease, co_await grab(kSets, entry, {deadline}));
    if (!lease.bytes().empty()) {
      if (wanted != kNoSet) co_return Error(Errc::already_exists, "the set");
      continue;
    }
    KRG_CO_TRY(write_encoded(lease, options));
    lease.put();
    KRG_CO_TRY(co_await sync(kSets, entry, {deadline}));
    service_->add_set(id, std::move(options));
    co_return id;
  }
}

Co<Status> Kddm::destroy(SetId id, Deadline deadline) {
  if (is_directory(id)) co_return Error(Errc::denied, "the set of all sets");
  const Status removed = co_await remove(kSets, ObjectId{id.value}, {deadline});
  if (!removed && removed.error().code() != Errc::not_found) co_return removed;
  service_->bury(id);
  std::vector<NodeId> others;
  for (const NodeId node : service_->members()) {
    if (node != service_->self()) others.push_back(node);
  }
  const auto answers = co_await rpc::call_all<DropSet>(service_->rpc(), std::move(others),
                                                       DropSet::Request{id}, deadline);
  for (const auto& answer : answers) {
    if (!answer.reply && service_->members().contains(answer.node)) co_return answer.reply.error();
  }
  co_return removed;
}

Co<Status> Kddm::bind(std::string name, SetId set, Deadline deadline, NameSpaceId in) {
  KRG_CO_TRY(check_name(name));
  KRG_CO_TRY_ASSIGN(const Lease held, co_await hold_name_space(in, deadline));
  const ObjectId entry = object_of(in, name);
  KRG_CO_TRY_ASSIGN(Lease lease, co_await grab(kNames, entry, {deadline}));
  KRG_CO_TRY_ASSIGN(Names names, names_in(lease));
  if (names.find(in, name) != kNoSet) co_return Error(Errc::already_exists, "the name");
  names.entries.push_back({in, std::move(name), set});
  KRG_CO_TRY(write_encoded(lease, names));
  lease.put();
  co_return co_await sync(kNames, entry, {deadline});
}

Co<Result<SetId>> Kddm::look_up(std::string name, Deadline deadline, NameSpaceId in) {
  KRG_CO_TRY(check_name(name));
  const Result<Lease> lease = co_await get(kNames, object_of(in, name), {deadline, false, true});
  if (!lease) co_return lease.error();
  KRG_CO_TRY_ASSIGN(const Names names, names_in(*lease));
  const SetId set = names.find(in, name);
  if (set == kNoSet) co_return Error(Errc::not_found, "no such name");
  co_return set;
}

Co<Status> Kddm::unbind(std::string name, Deadline deadline, NameSpaceId in) {
  KRG_CO_TRY(check_name(name));
  const ObjectId entry = object_of(in, name);
  KRG_CO_TRY_ASSIGN(Lease lease, co_await grab(kNames, entry, {deadline}));
  KRG_CO_TRY_ASSIGN(Names names, names_in(lease));
  const auto gone =
      std::erase_if(names.entries, [&](const Names::Entry& e) { return e.is(in, name); });
  if (gone == 0) co_return Error(Errc::not_found, "no such name");
  KRG_CO_TRY(write_encoded(lease, names));
  lease.put();
  co_return co_await sync(kNames, entry, {deadline});
}

}  // namespace krg::kddm
