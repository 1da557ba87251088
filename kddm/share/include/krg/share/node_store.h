// share/node_store.h: krgd's side of the node-shared store.
//
// Model    krgd makes slots, says what tasks may do with them, and takes that back: freeze() lets
//          no lease begin any more, and tells who still has one; when nobody has, the object is
//          krgd's alone until thaw(). While tasks hold leases on a frozen object they ring when
//          these end; krgd then asks sweep(). All of krgd's own knowledge lies where tasks can not
//          write; what it reads from the shared segment is checked, and at worst wrong for the
//          tasks that share it.
// Threads  owned by one thread.
// Blocks   never.
// Source   Kerrighed kddm (frozen and contended objects); docs/design/kddm.md, "Node-shared store"
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "krg/base/deadline.h"
#include "krg/error/result.h"
#include "krg/share/geometry.h"
#include "krg/share/serving_clock.h"
#include "krg/share/types.h"

namespace krg::kddm {

struct StoreOptions {
  Geometry geometry;
  std::uint64_t budget_bytes = 0;  // Of the objects' bytes, as allocated; at most data_bytes.
  Ticks ticks = ServingClock::best();
};

// Who still uses a frozen object.
struct Frozen {
  bool readers = false;
  TaskIndex writer = kNoTask;
  std::uint64_t version = 0;  // Good when nobody writes.

  bool idle() const noexcept { return !readers && writer == kNoTask; }
};

// What the owner of an object keeps with its slot, where tasks can not write.
struct Kept {
  std::uint8_t what = 0;  // 0: nothing.
  std::uint64_t version = 0;

  explicit operator bool() const noexcept { return what != 0; }
};

struct Leased {
  SlotId slot;
  LeaseKind kind = LeaseKind::read;
};

class NodeStore {
 public:
  // Errors  invalid_argument  the options do not make sense. no_memory, system_error
  static Result<NodeStore> create(const StoreOptions& options);
  NodeStore(NodeStore&&) noexcept;
  NodeStore& operator=(NodeStore&&) = delete;
  ~NodeStore();

  // --- tasks

  const Geometry& geometry() const noexcept;
  // For the task to map; it can map the directory to read only.
  int directory_fd() const noexcept;
  int shared_fd() const noexcept;
  // Errors  limit_reached
  Result<TaskIndex> attach();
  struct Released {
    std::vector<SlotId> idle;  // Frozen ones that nobody uses any more.
    // The task died while it wrote these, or was about to; their version is one higher.
    std::vector<SlotId> torn;
  };
  // Ends everything the task held; its index may be given again.
  // Requires  attached, and no thread of it runs any more. Cost: its table, and sweep()
  Released release_all(TaskIndex task);
  std::size_t tasks() const noexcept;

  // --- slots

  // A slot for the object, frozen, with Access::none, version 0 and unspecified bytes.
  // Errors  no_memory       the budget: see victims(). limit_reached: no slot.
  //         already_exists  too_large
  Result<SlotId> allocate(SetId set, ObjectId object, std::uint64_t size);
  // Another size; keeps the bytes that fit. They may move.
  // Requires  frozen. Errors  would_block: somebody uses it. no_memory, too_large: unchanged.
  Status resize(SlotId slot, std::uint64_t size);
  // Requires  frozen, nothing is kept with it. Errors  would_block: somebody uses it.
  Status free(SlotId slot);
  // kNoSlot if there is none. Cost: as LocalStore::find().
  SlotId find(SetId set, ObjectId object) const noexcept;

  bool in_use(SlotId slot) const noexcept;
  Handle handle(SlotId slot) const noexcept;
  SetId set_of(SlotId slot) const noexcept;
  ObjectId object_of(SlotId slot) const noexcept;
  Access access(SlotId slot) const noexcept;
  bool is_frozen(SlotId slot) const noexcept;
  // krgd may look at them while nobody writes and change them while nobody uses them.
  std::span<std::byte> bytes(SlotId slot) const noexcept;
  std::uint64_t file_offset(SlotId slot) const noexcept;
  // Of the bytes, as arrived from elsewhere. Requires: frozen and idle.
  void set_version(SlotId slot, std::uint64_t version) noexcept;

  // --- what the owner keeps: a list of slots for each set, say, whose first one is with the owner

  // Requires  in use, `kept` is something, and nothing is kept with the slot. Cost: constant
  void keep(SlotId slot, const Kept& kept, SlotId& first) noexcept;
  // What was kept; nothing is any more. Requires  something is, in that list. Cost: constant
  Kept take_kept(SlotId slot, SlotId& first) noexcept;
  Kept kept(SlotId slot) const noexcept;
  // The next one of the list; kNoSlot: `slot` is the last.
  SlotId next_kept(SlotId slot) const noexcept;

  // --- leases

  // No lease begins from now on. Frozen or not. Cost: an atomic operation; a look at all tables
  // if tasks may read it.
  Frozen freeze(SlotId slot);
  // The same look at a frozen object again.
  Frozen look(SlotId slot) const;
  // Tasks may do `access` from now on.
  // Requires  frozen. Errors  would_block: somebody writes and `access` is not write, or somebody
  //           reads and it is none.
  Status thaw(SlotId slot, Access access);
  // Begins a lease for a task, of a frozen object, whatever its access; it stays frozen.
  // Requires  attached. Errors  would_block: others use it so that it can not be.
  //           limit_reached: the task has too many of them.
  Result<Grant> grant(SlotId slot, TaskIndex task, LeaseKind kind);
  // Ends a grant that the task will never know of. Wrong grants change nothing.
  void withdraw(TaskIndex task, const Grant& grant);
  // Tells, of all frozen objects that were in use when last looked at, which are idle now; each
  // once. To be called when a task has rung, and now and then, since a stopped task can not ring.
  // Cost: one look at all tables.
  void sweep(std::vector<SlotId>& idle);
  // What the task has leased at this moment; of a task gone wild perhaps more. Requires  attached.
  // Cost: its table
  std::vector<Leased> leases_of(TaskIndex task) const;
  // Whether tasks of this node sleep, or have slept, until another one ended its write lease; as
  // they say.
  bool is_fought_for(SlotId slot) const noexcept;
  // From now on it is: tasks that wanted it have been told to look for themselves.
  void fight_for(SlotId slot) noexcept;
  // Objects that sweep() is to look at; 0: nothing to wait for.
  std::size_t waiting() const noexcept;

  // --- memory and time

  std::uint64_t bytes_used() const noexcept;
  std::uint64_t bytes_budget() const noexcept;
  std::size_t objects() const noexcept;
  // Copies of this `access` that nobody uses, at least `slots` of them and with at least `bytes`,
  // in clock order: who was leased since the hand came by last gets a second chance. Fewer if there
  // are no more. They are neither frozen nor freed here. Cost: one look at all tables, and two
  // rounds of the slots at most.
  void victims(std::uint64_t bytes, std::size_t slots, std::vector<SlotId>& out,
               Access access = Access::read);
  // Tasks get leases by themselves until then; an instant of CLOCK_MONOTONIC. At first: never.
  void serve_until(TimePoint until) noexcept;

 private:
  friend class LocalStore;
  struct State;
  explicit NodeStore(std::unique_ptr<State> state) noexcept;

  std::unique_ptr<State> state_;
};

}  // namespace krg::kddm
