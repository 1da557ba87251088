#include "krg/sync/lock_graph.h"

#include <algorithm>
#include <deque>
#include <map>
#include <set>
#include <tuple>
#include <utility>

namespace krg::sync {
namespace {

constexpr std::size_t kNone = ~std::size_t{0};

struct Wait {
  const LockUsers::Waiter* waiter;
  std::size_t lock;
};

class Graph {
 public:
  explicit Graph(const std::vector<LockUsers>& locks) : locks_(locks) {
    for (std::size_t lock = 0; lock < locks.size(); ++lock) {
      for (const LockUsers::Waiter& waiter : locks[lock].waiters) {
        of_lock_[lock].push_back(waits_.size());
        of_task_[{waiter.who.node, waiter.who.pid}].push_back(waits_.size());
        waits_.push_back({&waiter, lock});
      }
    }
    gone_.resize(waits_.size());
  }

  std::vector<LockCycle> cycles() {
    std::vector<LockCycle> found;
    for (std::size_t first = 0; first < waits_.size(); ++first) {
      const std::vector<std::size_t> way =
          gone_[first] ? std::vector<std::size_t>() : around(first);
      if (way.empty()) continue;
      LockCycle cycle;
      for (const std::size_t at : way) {
        gone_[at] = true;
        cycle.steps.push_back(
            {waits_[at].waiter->who, waits_[at].lock, waits_[at].waiter->waited_ms});
      }
      found.push_back(std::move(cycle));
    }
    return found;
  }

 private:
  static bool is_of(const LockThread& holder, const LockThread& waiter) {
    return holder.alone || (holder.thread != 0 && holder.thread == waiter.thread);
  }

  // The waits that must end before this one can.
  std::vector<std::size_t> next(std::size_t from) const {
    const Wait& wait = waits_[from];
    const LockUsers& lock = locks_[wait.lock];
    std::vector<std::size_t> all;
    bool written = false;
    for (const LockUsers::Holder& holder : lock.holders) {
      written = written || holder.writes;
      if (!holder.writes && !wait.waiter->writes) continue;
      const auto at = of_task_.find({holder.who.node, holder.who.pid});
      if (at == of_task_.end()) continue;
      for (const std::size_t other : at->second) {
        if (is_of(holder.who, waits_[other].waiter->who)) all.push_back(other);
      }
    }
    if (wait.waiter->writes || written) return all;
    for (const std::size_t other : of_lock_.at(wait.lock)) {
      if (waits_[other].waiter->writes) all.push_back(other);
    }
    return all;
  }

  // A shortest way from `first` back to it; empty if there is none.
  std::vector<std::size_t> around(std::size_t first) const {
    std::vector<std::size_t> before(waits_.size(), kNone);
    std::deque<std::size_t> open = {first};
    while (!open.empty()) {
      const std::size_t at = open.front();
      open.pop_front();
      for (const std::size_t to : next(at)) {
        if (to == first) return way_to(at, first, before);
        if (gone_[to] || before[to] != kNone) continue;
        before[to] = at;
        open.push_back(to);
      }
    }
    return {};
  }

  static std::vector<std::size_t> way_to(std::size_t at, std::size_t first,
                                         const std::vector<std::size_t>& before) {
    std::vector<std::size_t> way = {at};
    for (; at != first; at = before[at]) way.push_back(before[at]);
    std::ranges::reverse(way);
    return way;
  }

  const std::vector<LockUsers>& locks_;
  std::vector<Wait> waits_;
  std::map<std::size_t, std::vector<std::size_t>> of_lock_;
  std::map<std::pair<NodeId, std::int32_t>, std::vector<std::size_t>> of_task_;
  std::vector<bool> gone_;  // In a circle that has been found.
};

}  // namespace

std::vector<LockUsers> merge(const std::vector<NodeLocks>& nodes) {
  std::map<std::pair<kddm::SetId, kddm::ObjectId>, LockUsers> locks;
  std::map<kddm::SetId, std::string> names;
  const auto lock_of = [&](const auto& use) -> LockUsers& {
    LockUsers& lock = locks[{use.set, use.object}];
    lock.set = use.set;
    lock.object = use.object;
    return lock;
  };
  for (const NodeLocks& node : nodes) {
    for (const LockSet& set : node.report.sets) names[set.set] = set.name;
    for (const LockHolder& h : node.report.holders) {
      LockUsers& lock = lock_of(h);
      if (h.kind != LockKind::none) lock.kind = h.kind;
      lock.holders.push_back({{node.node, h.pid, h.thread, h.alone}, h.writes});
    }
    for (const LockWaiter& w : node.report.waiters) {
      lock_of(w).waiters.push_back(
          {{node.node, w.pid, w.thread, false}, w.wait, w.writes, w.waited_ms});
    }
  }
  std::vector<LockUsers> all;
  for (auto& [id, lock] : locks) {
    lock.name = names[lock.set];
    all.push_back(std::move(lock));
  }
  return all;
}

void keep_lasting(std::vector<LockUsers>& now, const std::vector<LockUsers>& before) {
  std::set<std::tuple<NodeId, std::uint64_t>> waits;
  for (const LockUsers& lock : before) {
    for (const LockUsers::Waiter& waiter : lock.waiters) {
      waits.insert({waiter.who.node, waiter.wait});
    }
  }
  for (LockUsers& lock : now) {
    std::erase_if(lock.waiters, [&](const LockUsers::Waiter& waiter) {
      return !waits.contains({waiter.who.node, waiter.wait});
    });
  }
}

std::vector<LockCycle> find_cycles(const std::vector<LockUsers>& locks) {
  return Graph(locks).cycles();
}

}  // namespace krg::sync
