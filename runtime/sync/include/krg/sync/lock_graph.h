// sync/lock_graph.h: what all nodes tell of locks, put together; and who waits for whom in a
// circle.
//
// Model    a wait leads to the waits of the threads that hold its lock so that it can not be had;
//          who only reads also waits for the writers that wait for the same lock. The nodes tell
//          at different moments, so a circle may be of waits that never were at one time. One of
//          waits that were told twice, by all nodes each time, is real: see keep_lasting().
// Threads  values.
// Blocks   never.
// Source   Knapp, "Deadlock detection in distributed databases", ACM Computing Surveys 1987;
//          docs/design/sync.md, "Who holds what"
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <vector>

#include "krg/sync/lock_report.h"

namespace krg::sync {

struct LockThread {
  NodeId node;
  std::int32_t pid = 0;
  std::int32_t thread = 0;  // 0: not known; it is never in a circle, unless it is `alone`.
  bool alone = false;       // Its process has no other.
  auto operator<=>(const LockThread&) const = default;
};

// A lock that somebody holds or waits for.
struct LockUsers {
  struct Holder {
    LockThread who;
    bool writes = false;
  };
  struct Waiter {
    LockThread who;
    std::uint64_t wait = 0;  // Of its node.
    bool writes = false;
    std::uint64_t waited_ms = 0;
  };

  kddm::SetId set;
  kddm::ObjectId object;
  std::string name;  // The set's.
  LockKind kind = LockKind::none;
  std::vector<Holder> holders;
  std::vector<Waiter> waiters;
};

// By set and object.
std::vector<LockUsers> merge(const std::vector<NodeLocks>& nodes);

// Drops from `now` the waits that `before`, which was told earlier, does not have.
void keep_lasting(std::vector<LockUsers>& now, const std::vector<LockUsers>& before);

// Each waits for the lock that the next one holds, the last one for what the first one holds.
struct LockCycle {
  struct Step {
    LockThread who;
    std::size_t lock = 0;  // Of the table.
    std::uint64_t waited_ms = 0;
  };
  std::vector<Step> steps;
};

// Of circles that share a wait only one, a shortest one of those through its first wait.
// Cost  the waits, times what they lead to
std::vector<LockCycle> find_cycles(const std::vector<LockUsers>& locks);

}  // namespace krg::sync
