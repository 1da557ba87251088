// A lock that goes from node to node takes with it what was written under it.
//
// As long as a lock stays on its node nothing is released and nothing acquired: the node's tasks
// use one copy. The next holder on another node asks the last one's node to release. All regions
// take part, for whoever holds a lock next on this node may use others than the one that asked.
#include <algorithm>
#include <utility>

#include "callers.h"
#include "releases.h"

namespace krg::mm {
namespace {

constexpr Duration kLimit = std::chrono::seconds(30);
constexpr Duration kAgain = std::chrono::milliseconds(10);

// Errors  peer_down  it has died meanwhile: what it had not released is gone; timed_out
Co<Status> have_flushed(Pager& pager, rpc::Rpc& rpc, NodeId node, Deadline deadline) {
  Status how;
  while (node != pager.self() && pager.kddm().members().contains(node)) {
    const rpc::CallOptions options{.deadline = deadline};
    const auto flushed = co_await rpc.call<Flush>(node, Flush::Request(), options);
    if (flushed) co_return Status();
    how = Error(Errc::peer_down, "who held the lock last died with what it wrote");
    if (deadline.passed(pager.reactor().now())) co_return flushed.error();
    co_await reactor::sleep_for(pager.reactor(), kAgain);
  }
  co_return how;
}

}  // namespace

void Releases::serve_hand_overs(gate::Server& gate) {
  gate.serve<calls::TakeOver>([this](gate::Call& call, calls::TakeOver::Request request) {
    return take_over(call, request);
  });
}

void Releases::join_hand_overs() {
  peers_.rpc->serve<Flush>([this](rpc::Incoming&, Flush::Request) { return flush(); });
}

// Those that this node has, or had, pages of.
std::vector<kddm::SetId> Releases::sets() const {
  std::vector<kddm::SetId> all;
  for (const auto& [set, copy] : copies_) all.push_back(set);
  std::sort(all.begin(), all.end());
  return all;
}

Co<Result<calls::TakeOver::Reply>> Releases::take_over(gate::Call& call,
                                                       calls::TakeOver::Request request) {
  KRG_CO_TRY(check_caller(call));
  if (request.acquires) KRG_CO_TRY(co_await take_over(request.from, call.deadline()));
  co_return calls::TakeOver::Reply{pager_.self()};
}

Co<Status> Releases::take_over(NodeId from, Deadline deadline) {
  // A lock that died with its holder: the one before may have released nothing yet, and must not
  // do so after the next.
  const cluster::NodeSet nodes = from == kNoNode ? pager_.kddm().members() : cluster::NodeSet{from};
  Status lost;
  for (const NodeId node : nodes) {
    const Status flushed = co_await have_flushed(pager_, *peers_.rpc, node, deadline);
    if (flushed) continue;
    if (flushed.error().code() != Errc::peer_down) co_return flushed;
    lost = flushed;
  }
  const std::vector<kddm::SetId> all = sets();
  for (const kddm::SetId set : all) {
    const Region* const region = living(set);
    if (region == nullptr || region->info().consistency != Consistency::release) continue;
    const Status seen = co_await acquire(set, deadline);
    if (!seen && seen.error().code() != Errc::not_found) co_return seen.error();
  }
  co_return lost;
}

// Pages that are lost with their home are said to whoever touches them.
Co<Result<wire::Empty>> Releases::flush() {
  const Deadline deadline = pager_.reactor().after(kLimit);
  const std::vector<kddm::SetId> all = sets();
  for (const kddm::SetId set : all) {
    const Region* const region = living(set);
    if (region == nullptr || region->info().consistency != Consistency::release) continue;
    const Status done = co_await release(set, deadline);
    const Errc code = done ? Errc::ok : done.error().code();
    if (code == Errc::timed_out) co_return done.error();
  }
  co_return wire::Empty{};
}

}  // namespace krg::mm
