// share/types.h: the names that krgd and its tasks use for what lies in the node-shared store.
//
// Model    a slot is the place of one object on this node. Slots are used again; a Handle tells one
//          use from the next. A task has an index, given by krgd, that names its lease table.
// Threads  values.
// Blocks   never.
// Source   docs/design/kddm.md, "Node-shared store"
#pragma once

#include <cstdint>

#include "krg/base/ids.h"
#include "krg/store/ids.h"

namespace krg::kddm {

using SlotId = StrongId<struct SlotIdTag, std::uint32_t>;
using TaskIndex = StrongId<struct TaskIndexTag, std::uint32_t>;

inline constexpr SlotId kNoSlot{0xffffffffu};
inline constexpr TaskIndex kNoTask{0xffffffffu};

// What tasks may do with this node's copy of an object, without a word to krgd.
enum class Access : std::uint8_t { none, read, write };

enum class LeaseKind : std::uint8_t { read, write };

// One use of a slot: no more valid when the slot has been freed. A task may keep it as long as it
// likes: a lease by a handle of the past is refused.
struct Handle {
  SlotId slot = kNoSlot;
  std::uint32_t generation = 0;

  explicit operator bool() const noexcept { return slot != kNoSlot; }
  bool operator==(const Handle&) const = default;
};

// A lease that krgd has begun in a task's name, for the task to take over: see
// NodeStore::grant() and LocalStore::adopt().
struct Grant {
  Handle handle;
  std::uint32_t entry = 0;  // Of the task's lease table.
  LeaseKind kind = LeaseKind::read;

  bool operator==(const Grant&) const = default;
  static void wire_fields(auto& m, auto&& visit) {
    visit(m.handle.slot.value, m.handle.generation, m.entry, m.kind);
  }
};

// Why a task did not get a lease by itself. All but `forked` are for krgd to deal with.
enum class Miss : std::uint8_t {
  none,       // It did.
  absent,     // The node has no such object, or the handle is of the past.
  access,     // The node's copy does not allow it.
  contended,  // krgd has frozen the object.
  writer,     // A task of this node writes it.
  readers,    // Tasks of this node read it, and the lease was to be for writing.
  expired,    // The node may not serve without asking the cluster.
  full,       // The task has as many leases as its table holds.
  forked,     // This process is a child that inherited the store: it has no lease table.
};
const char* name_of(Miss miss) noexcept;

}  // namespace krg::kddm
