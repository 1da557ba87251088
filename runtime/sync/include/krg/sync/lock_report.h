// sync/lock_report.h: who holds and who waits for which locks, for tools.
//
// Model    wire messages of krgd to krgd. Each node tells of its own tasks what it knows at this
//          moment; all nodes together are no snapshot. Waits have names, so that who asks twice
//          sees which of them have lasted.
// Threads  values.
// Blocks   never.
// Source   docs/design/sync.md, "Who holds what"
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "krg/base/ids.h"
#include "krg/store/ids.h"
#include "krg/sync_calls/lock_word.h"
#include "krg/wire/codec.h"
#include "krg/wire/service.h"

namespace krg::sync {

struct LockHolder {
  kddm::SetId set;
  kddm::ObjectId object;
  std::int32_t pid = 0;
  std::int32_t thread = 0;  // 0: not known; who reads does not say.
  bool alone = false;       // The process has no other thread.
  LockKind kind = LockKind::none;
  bool writes = false;
  static void wire_fields(auto& m, auto&& visit) {
    visit(m.set, m.object, m.pid, m.thread, m.alone, m.kind, m.writes);
  }
};

struct LockWaiter {
  kddm::SetId set;
  kddm::ObjectId object;
  std::int32_t pid = 0;
  std::int32_t thread = 0;  // 0: not known.
  std::uint64_t wait = 0;   // Of the node, never the same twice.
  bool writes = false;
  std::uint64_t waited_ms = 0;
  static void wire_fields(auto& m, auto&& visit) {
    visit(m.set, m.object, m.pid, m.thread, m.wait, m.writes, m.waited_ms);
  }
};

struct LockSet {
  kddm::SetId set;
  std::string name;
  static void wire_fields(auto& m, auto&& visit) { visit(m.set, m.name); }
};

struct LockReport {
  static constexpr ServiceId kId{0x7c};
  static constexpr const char* kName = "sync.lock_report";
  using Request = wire::Empty;
  struct Reply {
    std::vector<LockHolder> holders;
    std::vector<LockWaiter> waiters;
    std::vector<LockSet> sets;  // Of those.
    static void wire_fields(auto& m, auto&& visit) { visit(m.holders, m.waiters, m.sets); }
  };
};

struct NodeLocks {
  NodeId node;
  LockReport::Reply report;
  static void wire_fields(auto& m, auto&& visit) { visit(m.node, m.report); }
};

}  // namespace krg::sync
