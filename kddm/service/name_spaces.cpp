// Name spaces: groups of sets with names of their own, and how one ends with all that is in it.
//
// All name spaces are in one object. Who makes a set or a name in one holds that object for reading
// until the set or the name is there; who ends one first marks it by a write. So afterwards nothing
// new comes in, and what is in it can be looked for: each node looks through those sets and names
// whose home it is, until a round in one settled view has found nothing.
#include "name_spaces.h"

#include <algorithm>
#include <utility>

#include "krg/kddm/kddm.h"
#include "krg/reactor/event.h"
#include "krg/rpc/multicast.h"
#include "service.h"
#include "sets.h"

namespace krg::kddm {
namespace {

constexpr ObjectId kAll{0};
constexpr const char* kDefaultName = "default";
// How long a round waits for a view that is not settled.
constexpr Duration kRoundAgain = std::chrono::milliseconds(5);
constexpr std::chrono::milliseconds kLongest = std::chrono::hours(1);

// Those whose home this node is, and that may be there.
std::vector<ObjectId> objects_at_home(Set& set) {
  std::vector<ObjectId> objects;
  set.homes.for_each([&](const HomeEntry& entry) {
    const HomeState state = entry.home.state;
    if (state != HomeState::away && state != HomeState::absent && state != HomeState::lost) {
      objects.push_back(entry.id);
    }
  });
  return objects;
}

Result<NameSpaces> spaces_in(const Lease& lease) {
  if (lease.bytes().empty()) return NameSpaces{};
  return wire::decode<NameSpaces>(lease.bytes());
}

void erase_names_of(NameSpaceId id, Names& names) {
  std::erase_if(names.entries, [id](const Names::Entry& entry) { return entry.name_space == id; });
}

// Its place in `spaces`. Errors  not_found
Result<NameSpaces::Entry*> entry_of(NameSpaces& spaces, NameSpaceId id) {
  const auto at = std::ranges::find(spaces.entries, id, &NameSpaces::Entry::id);
  if (at == spaces.entries.end()) return Error(Errc::not_found, "no such name space");
  return &*at;
}

}  // namespace

// The end of a name space, as one node sees it.
class Ending {
 public:
  Ending(Kddm& kddm, Service& service, NameSpaceId id, Deadline deadline) noexcept
      : kddm_(kddm), service_(service), id_(id), deadline_(deadline) {}

  // Says that it ends, or that it is gone.
  Co<Status> mark(bool gone);
  // Everything that is in it goes, on all nodes.
  Co<Status> empty();
  // What this node is the home of.
  // Errors  stale  it does not know yet, or no longer, what that is
  Co<Result<EmptyNameSpace::Reply>> empty_here();

 private:
  Co<Result<bool>> empty_once();
  Co<Result<bool>> end_set(SetId set);
  Co<Result<bool>> end_names(ObjectId object);

  Kddm& kddm_;
  Service& service_;
  const NameSpaceId id_;
  const Deadline deadline_;
};

Co<Status> Ending::mark(bool gone) {
  KRG_CO_TRY_ASSIGN(Lease lease, co_await kddm_.grab(kNameSpaces, kAll, {deadline_}));
  KRG_CO_TRY_ASSIGN(NameSpaces spaces, spaces_in(lease));
  KRG_CO_TRY_ASSIGN(NameSpaces::Entry* const entry, entry_of(spaces, id_));
  entry->ends = true;
  if (gone) spaces.entries.erase(spaces.entries.begin() + (entry - spaces.entries.data()));
  KRG_CO_TRY(write_encoded(lease, spaces));
  lease.put();
  co_return co_await kddm_.sync(kNameSpaces, kAll, {deadline_});
}

Co<Status> Ending::empty() {
  for (;;) {
    const Result<bool> empty = co_await empty_once();
    if (empty && *empty) co_return Status();
    // Of the others an error may be that the view changes; only that nobody serves is for good.
    KRG_CO_TRY(service_.may_serve());
    if (deadline_.passed(service_.reactor().now())) {
      co_return Error(Errc::timed_out, "the end of a name space; a part of it has gone");
    }
    if (!empty) co_await reactor::sleep_for(service_.reactor(), kRoundAgain);
  }
}

// One round; true if all members have found nothing, in this view.
Co<Result<bool>> Ending::empty_once() {
  const Epoch epoch = service_.epoch();
  std::vector<NodeId> others;
  for (const NodeId node : service_.members()) {
    if (node != service_.self()) others.push_back(node);
  }
  const Duration left = deadline_.at() - service_.reactor().now();
  const auto patience = std::clamp<std::chrono::milliseconds>(
      std::chrono::duration_cast<std::chrono::milliseconds>(left), {}, kLongest);
  const EmptyNameSpace::Request request{id_, static_cast<std::uint32_t>(patience.count())};
  const auto answers =
      co_await rpc::call_all<EmptyNameSpace>(service_.rpc(), std::move(others), request, deadline_);
  KRG_CO_TRY_ASSIGN(const EmptyNameSpace::Reply here, co_await empty_here());
  bool empty = here.ended == 0 && here.epoch == epoch;
  for (const auto& answer : answers) {
    if (!answer.reply) co_return answer.reply.error();
    empty = empty && answer.reply->ended == 0 && answer.reply->epoch == epoch;
  }
  co_return empty;
}

Co<Result<EmptyNameSpace::Reply>> Ending::empty_here() {
  if (id_ == kDefaultNameSpace) co_return Error(Errc::denied, "the default name space");
  const Error moved(Errc::stale, "a view that is not settled");
  if (!service_.knows_all()) co_return moved;
  EmptyNameSpace::Reply reply{service_.epoch(), 0};
  for (const ObjectId object : objects_at_home(*service_.find_set(kSets))) {
    KRG_CO_TRY_ASSIGN(const bool ended, co_await end_set(SetId{object.value}));
    reply.ended += ended ? 1 : 0;
  }
  for (const ObjectId object : objects_at_home(*service_.find_set(kNames))) {
    KRG_CO_TRY_ASSIGN(const bool ended, co_await end_names(object));
    reply.ended += ended ? 1 : 0;
  }
  if (reply.epoch != service_.epoch()) co_return moved;
  co_return reply;
}

// Whether it was in the name space.
Co<Result<bool>> Ending::end_set(SetId set) {
  const auto options = co_await kddm_.options_of(set, deadline_);
  if (!options && options.error().code() == Errc::not_found) co_return false;
  if (!options) co_return options.error();
  if (options->name_space != id_) co_return false;
  const Status ended = co_await kddm_.destroy(set, deadline_);
  if (!ended && ended.error().code() != Errc::not_found) co_return ended.error();
  co_return true;
}

// Whether there were some of the name space's among those that are kept in `object`.
Co<Result<bool>> Ending::end_names(ObjectId object) {
  {
    const Result<Lease> seen = co_await kddm_.get(kNames, object, {deadline_, false, true});
    if (!seen && seen.error().code() == Errc::not_found) co_return false;
    if (!seen) co_return seen.error();
    KRG_CO_TRY_ASSIGN(const Names names, names_in(*seen));
    if (std::ranges::count(names.entries, id_, &Names::Entry::name_space) == 0) co_return false;
  }
  KRG_CO_TRY_ASSIGN(Lease lease, co_await kddm_.grab(kNames, object, {deadline_}));
  KRG_CO_TRY_ASSIGN(Names names, names_in(lease));
  erase_names_of(id_, names);
  KRG_CO_TRY(write_encoded(lease, names));
  lease.put();
  KRG_CO_TRY(co_await kddm_.sync(kNames, object, {deadline_}));
  co_return true;
}

NameSpaces::Entry* NameSpaces::find(std::string_view name) noexcept {
  const auto at = std::ranges::find(entries, name, &Entry::name);
  return at == entries.end() ? nullptr : &*at;
}

void Kddm::serve_name_spaces() {
  service_->add_set(kNameSpaces, directory_options());
  service_->rpc().serve<EmptyNameSpace>(
      [this](rpc::Incoming&, EmptyNameSpace::Request request) -> Co<Result<EmptyNameSpace::Reply>> {
        const auto patience = std::chrono::milliseconds(request.patience_ms);
        Ending ending(*this, *service_, request.id, service_->reactor().after(patience));
        co_return co_await ending.empty_here();
      });
}

Co<Result<NameSpaceId>> Kddm::create_name_space(std::string name, Deadline deadline) {
  KRG_CO_TRY(check_name(name));
  KRG_CO_TRY_ASSIGN(Lease lease, co_await grab(kNameSpaces, kAll, {deadline}));
  KRG_CO_TRY_ASSIGN(NameSpaces spaces, spaces_in(lease));
  if (name == kDefaultName || spaces.find(name) != nullptr) {
    co_return Error(Errc::already_exists, "the name space");
  }
  if (spaces.entries.size() >= NameSpaces::kMax || spaces.last == ~std::uint32_t{0}) {
    co_return Error(Errc::limit_reached, "more name spaces than a cluster may have");
  }
  const NameSpaceId id{++spaces.last};
  spaces.entries.push_back({id, std::move(name), false});
  KRG_CO_TRY(write_encoded(lease, spaces));
  lease.put();
  KRG_CO_TRY(co_await sync(kNameSpaces, kAll, {deadline}));
  co_return id;
}

Co<Result<NameSpaceId>> Kddm::find_name_space(std::string name, Deadline deadline) {
  KRG_CO_TRY(check_name(name));
  if (name == kDefaultName) co_return kDefaultNameSpace;
  const Result<Lease> lease = co_await get(kNameSpaces, kAll, {deadline, false, true});
  if (!lease) co_return lease.error();
  KRG_CO_TRY_ASSIGN(NameSpaces spaces, spaces_in(*lease));
  const NameSpaces::Entry* const entry = spaces.find(name);
  if (entry == nullptr || entry->ends) co_return Error(Errc::not_found, "no such name space");
  co_return entry->id;
}

Co<Result<Lease>> Kddm::hold_name_space(NameSpaceId id, Deadline deadline) {
  if (id == kDefaultNameSpace) co_return Lease();
  Result<Lease> lease = co_await get(kNameSpaces, kAll, {deadline, false, true});
  if (!lease && lease.error().code() == Errc::not_found) {
    co_return Error(Errc::not_found, "no such name space");
  }
  if (!lease) co_return lease.error();
  KRG_CO_TRY_ASSIGN(NameSpaces spaces, spaces_in(*lease));
  KRG_CO_TRY_ASSIGN(const NameSpaces::Entry* const entry, entry_of(spaces, id));
  if (entry->ends) co_return Error(Errc::not_found, "a name space that ends");
  co_return std::move(*lease);
}

Co<Status> Kddm::destroy_name_space(NameSpaceId id, Deadline deadline) {
  if (id == kDefaultNameSpace) co_return Error(Errc::denied, "the default name space");
  Ending ending(*this, *service_, id, deadline);
  KRG_CO_TRY(co_await ending.mark(false));
  KRG_CO_TRY(co_await ending.empty());
  co_return co_await ending.mark(true);
}

}  // namespace krg::kddm
