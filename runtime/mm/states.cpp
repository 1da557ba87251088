#include "states.h"

#include <utility>
#include <vector>

#include "callers.h"
#include "krg/log/log.h"
#include "krg/rpc/multicast.h"
#include "releases.h"

namespace krg::mm {
namespace {

// From krgd to krgd: a region's new state.
struct Changed {
  static constexpr ServiceId kId{0x6b};
  static constexpr const char* kName = "mm.changed";
  using Request = calls::Watch::Changed;
  using Reply = wire::Empty;
};

// How long a node may take to remove what is behind a region's end.
constexpr Duration kTaking = std::chrono::seconds(50);
// How long tasks that do not answer are waited for, and how often who is still there is looked at.
constexpr Duration kTasks = std::chrono::seconds(2);
constexpr Duration kLook = std::chrono::milliseconds(20);

// Object i is the state of the region that is set i; none of one that was never changed.
constexpr kddm::SetId kStates{17};
constexpr std::uint64_t kStateBytes = 4096;
static_assert(PageRanges::kMost * 16 + 64 <= kStateBytes);

// How the state lies in its object: what follows is not looked at.
struct Stored {
  std::uint32_t bytes = 0;  // 0: at first.
  static void wire_fields(auto& m, auto&& visit) { visit(m.bytes); }
};
constexpr std::size_t kStored = sizeof(std::uint32_t);

kddm::ObjectId object_of(kddm::SetId set) noexcept { return kddm::ObjectId{set.value}; }

Co<Status> make_states(kddm::Kddm& kddm, Deadline deadline) {
  kddm::SetOptions options;
  options.object_bytes = kStateBytes;
  options.copies = 3;
  const auto made = co_await kddm.create(options, deadline, kStates);
  if (!made && made.error().code() != Errc::already_exists) co_return made.error();
  co_return Status();
}

bool is_valid(const RegionState& state, const RegionInfo& info) {
  return state.version != 0 && state.bytes != 0 && state.bytes <= info.capacity &&
         state.bytes % kPageBytes == 0 && state.read_only.is_valid(info.capacity / kPageBytes);
}

// An object of zeros is the state at first.
Result<RegionState> read_state(const kddm::Lease& lease, const RegionInfo& info) {
  const std::span<const std::byte> bytes = lease.bytes();
  if (bytes.size() < kStored) return Error(Errc::corrupt, "a region's state");
  KRG_TRY_ASSIGN(const Stored stored, wire::decode<Stored>(bytes.first(kStored)));
  if (stored.bytes == 0) return RegionState{0, info.bytes, {}};
  if (stored.bytes > bytes.size() - kStored) return Error(Errc::corrupt, "a region's state");
  KRG_TRY_ASSIGN(RegionState state,
                 wire::decode<RegionState>(bytes.subspan(kStored, stored.bytes)));
  if (!is_valid(state, info)) return Error(Errc::corrupt, "a region's state");
  return state;
}

// Errors  invalid_argument  pages behind its end; limit_reached  too many ranges
Status change_rights(RegionState& state, const calls::Change::Request& request,
                     const RegionInfo& info) {
  using Rights = calls::Change::Rights;
  if (request.rights == Rights::keep) return {};
  const std::uint64_t pages =
      request.count == 0 ? info.capacity / kPageBytes : state.bytes / kPageBytes;
  if (request.first > pages || request.count > pages - request.first) {
    return Error(Errc::invalid_argument, "pages behind the region's end");
  }
  const std::uint64_t end = request.count == 0 ? pages : request.first + request.count;
  const std::uint64_t first = request.count == 0 ? 0 : request.first;
  if (request.rights == Rights::read_only) state.read_only.set(first, end);
  if (request.rights == Rights::read_write) state.read_only.clear(first, end);
  if (state.read_only.all().size() <= PageRanges::kMost) return {};
  return Error(Errc::limit_reached, "a region has up to 200 parts that are read-only");
}

void write_state(kddm::Lease& lease, const RegionState& state) {
  const std::vector<std::byte> bytes = wire::encode(state);
  const std::vector<std::byte> head =
      wire::encode(Stored{static_cast<std::uint32_t>(bytes.size())});
  const auto behind = std::copy(head.begin(), head.end(), lease.writable().begin());
  std::copy(bytes.begin(), bytes.end(), behind);
}

}  // namespace

void States::serve(gate::Server& gate) {
  gate.serve<calls::Change>([this](gate::Call& call, calls::Change::Request request) {
    return change(call, std::move(request));
  });
  gate.serve<calls::Watch>([this](gate::Call& call, calls::Watch::Request request) {
    return watch(call, std::move(request));
  });
}

void States::join(const Peers& peers) {
  peers_ = peers;
  peers_.rpc->serve<Changed>(
      [this](rpc::Incoming&, Changed::Request news) { return take(std::move(news)); });
}

void States::apply(Region& region, const RegionState& state) {
  if (!region.apply(state)) return;
  releases_.on_resize(region);
  prune();
  changed_at_[region.info().set] = ++changes_;
  changed_.set();
  changed_.clear();
}

void States::prune() {
  std::erase_if(changed_at_, [&](const auto& one) { return pager_.find(one.first) == nullptr; });
  std::erase_if(seen_, [&](const auto& one) {
    for (const auto& [set, region] : pager_.regions()) {
      if (region->has_task(one.first)) return false;
    }
    return true;
  });
}

Co<void> States::await_tasks(kddm::SetId set) {
  reactor::Reactor& reactor = pager_.reactor();
  const std::uint64_t change = changed_at_[set];
  const Deadline until = reactor.after(kTasks);
  while (!until.passed(reactor.now())) {
    const Region* const region = pager_.find(set);
    if (region == nullptr || region->ended()) co_return;
    const auto has_heard = [&](pid_t pid) { return seen_[pid] >= change; };
    if (region->all_tasks(has_heard)) co_return;
    static_cast<void>(co_await heard_.wait(reactor.after(kLook)));
  }
}

Co<Status> States::learn(kddm::SetId set, Deadline deadline) {
  const Region* const before = pager_.find(set);
  if (before == nullptr) co_return Error(Errc::not_found, "no such region");
  const RegionInfo info = before->info();
  const kddm::OpOptions within{.deadline = deadline, .no_touch = true};
  const auto lease = co_await pager_.kddm().get(kStates, object_of(set), within);
  if (!lease && lease.error().code() == Errc::not_found) co_return Status();
  if (!lease) co_return lease.error();
  KRG_CO_TRY_ASSIGN(const RegionState state, read_state(*lease, info));
  Region* const region = pager_.find(set);
  if (region == nullptr || region->ended()) co_return Error(Errc::not_found, "it was destroyed");
  apply(*region, state);
  co_return Status();
}

Co<Result<RegionState>> States::change(gate::Call& call, calls::Change::Request request) {
  const Region* const region = pager_.find(request.set);
  if (region == nullptr || region->ended()) co_return Error(Errc::not_found, "no such region");
  KRG_CO_TRY(check_attached(call, *region));
  const RegionInfo info = region->info();
  if (request.bytes > info.capacity) {
    co_return Error(Errc::too_large, "more than the region was made for");
  }
  KRG_CO_TRY(co_await make_states(pager_.kddm(), call.deadline()));
  const kddm::OpOptions within{.deadline = call.deadline()};
  const kddm::ObjectId object = object_of(request.set);
  KRG_CO_TRY_ASSIGN(kddm::Lease lease, co_await pager_.kddm().grab(kStates, object, within));
  KRG_CO_TRY_ASSIGN(RegionState state, read_state(lease, info));
  ++state.version;
  if (request.bytes != 0) state.bytes = whole_pages(request.bytes);
  KRG_CO_TRY(change_rights(state, request, info));
  write_state(lease, state);
  const calls::Watch::Changed news{request.set, state};
  KRG_CO_TRY(co_await tell_others(news, call.deadline()));
  lease.put();
  KRG_CO_TRY(co_await pager_.kddm().sync(kStates, object, within));
  co_return state;
}

Co<void> States::forget(kddm::SetId set, Deadline deadline) {
  const kddm::OpOptions within{.deadline = deadline};
  static_cast<void>(co_await pager_.kddm().remove(kStates, object_of(set), within));
}

Co<Status> States::tell_others(const calls::Watch::Changed& news, Deadline deadline) {
  const auto answers = co_await rpc::call_all<Changed>(*peers_.rpc, peers_.all(), news, deadline);
  const std::vector<NodeId> now = peers_.all();
  for (const auto& answer : answers) {
    // Who is out of the cluster has nothing of the region any more.
    if (std::find(now.begin(), now.end(), answer.node) == now.end()) continue;
    if (!answer.reply) co_return answer.reply.error();
  }
  co_return Status();
}

Co<Result<wire::Empty>> States::take(calls::Watch::Changed news) {
  Region* const region = pager_.find(news.set);
  // Who has never heard of it learns the state before it uses it.
  if (region == nullptr || region->ended()) co_return wire::Empty{};
  const RegionState& state = news.state;
  if (!is_valid(state, region->info())) co_return Error(Errc::protocol_error, "a region's state");
  apply(*region, state);
  co_await await_tasks(news.set);
  const Region* const left = pager_.find(news.set);
  if (left == nullptr || left->ended()) co_return wire::Empty{};
  // What is behind the end does not stay, whatever it was pinned for.
  pager_.pins().drop(news.set, state.bytes / kPageBytes, ~std::uint64_t{0});
  const kddm::OpOptions within{.deadline = pager_.reactor().after(kTaking)};
  for (const Page page : left->traffic().placed_from(Page{state.bytes / kPageBytes})) {
    const kddm::ObjectId object{page.value};
    const Status done = co_await pager_.kddm().remove(news.set, object, within);
    if (!done && done.error().code() != Errc::not_found) co_return done.error();
  }
  co_return wire::Empty{};
}

Co<Result<calls::Watch::Reply>> States::watch(gate::Call& call, calls::Watch::Request request) {
  const pid_t pid = call.caller().pid;
  seen_[pid] = std::max(seen_[pid], request.seen);
  heard_.set();
  heard_.clear();
  for (;;) {
    calls::Watch::Reply reply{changes_, {}};
    for (const auto& [set, at] : changed_at_) {
      const Region* const region = at > request.seen ? pager_.find(set) : nullptr;
      if (region != nullptr && region->has_task(pid))
        reply.regions.push_back({set, region->state()});
    }
    if (!reply.regions.empty()) co_return reply;
    request.seen = changes_;
    KRG_CO_TRY(co_await changed_.wait(call.deadline()));
  }
}

}  // namespace krg::mm
