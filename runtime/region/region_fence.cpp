#include "region_fence.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "krg/fences/fences.h"
#include "krg/gate/client.h"
#include "krg/mm_calls/calls.h"

namespace krg {
namespace {

namespace calls = mm::calls;

constexpr Duration kLimit = std::chrono::seconds(60);

// Calls may be under way while another thread's region is detached.
using Client = std::shared_ptr<gate::Client>;

// Of one krgd.
struct Way {
  Client client;
  std::vector<kddm::SetId> sets;  // As often as they are attached.
};

struct State {
  const pid_t process = ::getpid();
  std::mutex mutex;
  std::map<std::string, Way> ways;     // By the gate's path.
  std::atomic<std::uint32_t> here{0};  // The node's number + 1.
};

// Lives as long as the process. A child has its own: what its parent's threads were at is not to
// be trusted, and krgd knows it by another connection.
State& state() {
  static std::atomic<State*> one = new State;
  State* known = one.load();
  if (known->process == ::getpid()) return *known;
  auto own = std::make_unique<State>();
  if (!one.compare_exchange_strong(known, own.get())) return *known;
  return *own.release();
}

template <class S>
Status call_all(gate::Client& client, const std::vector<kddm::SetId>& sets) {
  for (std::size_t at = 0; at < sets.size(); at += calls::Fenced::kMost) {
    const std::size_t count = std::min(calls::Fenced::kMost, sets.size() - at);
    const auto first = sets.begin() + static_cast<std::ptrdiff_t>(at);
    const calls::Fenced request{{first, first + static_cast<std::ptrdiff_t>(count)}};
    const auto done = client.call<S>(request, kLimit);
    if (!done) return done.error();
  }
  return {};
}

template <class S>
Status call_one(const std::string& gate, kddm::SetId set) {
  Client client;
  {
    State& s = state();
    const std::lock_guard lock(s.mutex);
    client = s.ways[gate].client;
  }
  if (!client) return Error(Errc::not_connected, "no region of release consistency is attached");
  return call_all<S>(*client, {set});
}

class RegionFence final : public fences::Fence {
 public:
  Status release() override { return all<calls::Release>(); }
  Status acquire() override { return all<calls::Acquire>(); }
  std::uint32_t here() const override { return state().here.load(std::memory_order_relaxed); }
  Status take_over(std::uint32_t node) override {
    std::vector<Client> clients;
    {
      State& s = state();
      const std::lock_guard lock(s.mutex);
      for (const auto& [gate, way] : s.ways) {
        if (!way.sets.empty()) clients.push_back(way.client);
      }
    }
    for (const Client& client : clients) {
      const calls::TakeOver::Request request{node == 0 ? kNoNode : NodeId{node - 1}, true};
      const auto done = client->call<calls::TakeOver>(request, kLimit);
      if (!done) return done.error();
    }
    return {};
  }

 private:
  template <class S>
  Status all() {
    std::vector<Way> ways;
    {
      State& s = state();
      const std::lock_guard lock(s.mutex);
      for (const auto& [gate, way] : s.ways) {
        if (!way.sets.empty()) ways.push_back(way);
      }
    }
    for (const Way& way : ways) KRG_TRY(call_all<S>(*way.client, way.sets));
    return {};
  }
};

RegionFence& fence() {
  static RegionFence one;
  return one;
}

}  // namespace

Status enter_fence(const std::string& gate, kddm::SetId set) {
  State& s = state();
  const std::lock_guard lock(s.mutex);
  Way& way = s.ways[gate];
  if (!way.client) {
    KRG_TRY_ASSIGN(way.client, gate::Client::connect(gate, {}));
  }
  if (s.here.load() == 0) {
    const calls::TakeOver::Request request{kNoNode, false};
    KRG_TRY_ASSIGN(const auto reply, way.client->call<calls::TakeOver>(request, kLimit));
    s.here.store(reply.node.value + 1);
  }
  way.sets.push_back(set);
  fences::current().store(&fence(), std::memory_order_release);
  return {};
}

void leave_fence(const std::string& gate, kddm::SetId set) noexcept {
  State& s = state();
  const std::lock_guard lock(s.mutex);
  Way& way = s.ways[gate];
  const auto at = std::find(way.sets.begin(), way.sets.end(), set);
  if (at != way.sets.end()) way.sets.erase(at);
  const bool is_last = std::all_of(s.ways.begin(), s.ways.end(),
                                   [](const auto& one) { return one.second.sets.empty(); });
  if (is_last) fences::current().store(nullptr, std::memory_order_release);
}

Status release_region(const std::string& gate, kddm::SetId set) {
  return call_one<calls::Release>(gate, set);
}

Status acquire_region(const std::string& gate, kddm::SetId set) {
  return call_one<calls::Acquire>(gate, set);
}

}  // namespace krg
