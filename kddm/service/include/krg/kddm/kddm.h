// kddm/kddm.h: a node's part in the objects that the cluster shares.
//
// Model    a set has objects of one kind, and is in a name space; an object is some bytes (or none:
//          a lock). get() gives a read copy, grab() the only copy that may be written; either as a
//          Lease. An object that was never used is created by its first touch. Per object there is
//          one order of all leases on all nodes (sequential consistency).
// Threads  the reactor's thread.
// Blocks   never; it suspends, until an OpOptions::deadline.
// Source   Kerrighed kddm; docs/design/kddm.md
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "krg/cluster/view_listener.h"
#include "krg/kddm/lease.h"
#include "krg/kddm/options.h"
#include "krg/kddm/range.h"
#include "krg/protocol/part.h"
#include "krg/reactor/co.h"
#include "krg/rpc/rpc.h"
#include "krg/share/node_store.h"
#include "krg/store/linker.h"
#include "krg/store/set_options.h"

namespace krg::kddm {

// One node's part of one object, for tests and for people.
struct ObjectState {
  SetId set;
  ObjectId object;
  Holder holder;
  Home home;
  std::size_t size = 0;
};

// What a node's copies take, and what was done to keep to its limit.
struct MemoryUse {
  std::uint64_t limit = 0;  // 0: none.
  std::uint64_t used = 0;
  std::uint64_t evicted = 0;  // Copies that were given up, for others have them too.
  std::uint64_t moved = 0;    // Copies that went to other nodes.
};

class Kddm final : public cluster::ViewListener {
 public:
  // Serves at `rpc`. One for each Rpc.
  Kddm(rpc::Rpc& rpc, KddmOptions options);
  Kddm(const Kddm&) = delete;
  Kddm& operator=(const Kddm&) = delete;
  // Requires  the reactor's coroutines have been cancelled, and no Lease is left.
  ~Kddm() override;

  // Sets may name it from now on. Requires  it outlives this; the same on every node.
  void add_linker(Linker& linker);
  // The first view, or the next one, without a membership that prepares and commits it.
  void enter(const cluster::View& view);

  // --- Sets
  // Makes a set and gives its id. `wanted`: an id that the caller has chosen, below kFirstFreeSet.
  // Errors  invalid_argument; already_exists  `wanted` is a set; those of grab()
  Co<Result<SetId>> create(SetOptions options, Deadline deadline, SetId wanted = kNoSet);
  // Errors  not_found; those of get()
  Co<Result<SetOptions>> options_of(SetId set, Deadline deadline);
  // Ends a set and all its objects, on all nodes; operations that wait end with not_found.
  // Errors  not_found; timed_out  some node has not been told, and keeps what it held
  Co<Status> destroy(SetId set, Deadline deadline);
  // A name for a set, cluster-wide. Errors  already_exists; not_found  no such name space; those of
  // grab()
  Co<Status> bind(std::string name, SetId set, Deadline deadline,
                  NameSpaceId in = kDefaultNameSpace);
  // Errors  not_found; those of get()
  Co<Result<SetId>> look_up(std::string name, Deadline deadline,
                            NameSpaceId in = kDefaultNameSpace);
  // Errors  not_found; those of grab()
  Co<Status> unbind(std::string name, Deadline deadline, NameSpaceId in = kDefaultNameSpace);

  // --- Name spaces: each has sets (SetOptions::name_space) and names of its own. "default" is
  // always there.
  // Errors  already_exists; limit_reached  1,024 of them; those of grab()
  Co<Result<NameSpaceId>> create_name_space(std::string name, Deadline deadline);
  // Errors  not_found; those of get()
  Co<Result<NameSpaceId>> find_name_space(std::string name, Deadline deadline);
  // Ends it with all its sets and names; nothing comes into it from the beginning on.
  // Cost    each node looks through the sets and names whose home it is, of all name spaces.
  // Errors  not_found; denied  the default one; timed_out  a part has gone: to be called again
  Co<Status> destroy_name_space(NameSpaceId id, Deadline deadline);

  // --- Objects. Errors of all:
  //   not_found      no such set; with no_touch: no such object
  //   would_block    with try_only
  //   lost           every copy died with its node; remove() makes the id free again
  //   no_quorum, shutting_down, not_connected  this node may not serve
  //   timed_out      the operation may still take effect
  //   invalid_argument  the id is not below the set's object_count
  //   no_space       this node is full of what it can not give up; nothing is lost by it. For a
  //                  first touch: the node that makes the object is
  //   not_supported  the node that makes the object has no linker of the set's name
  //   what the linker's first touch says, if it failed
  Co<Result<Lease>> get(SetId set, ObjectId object, OpOptions options);
  Co<Result<Lease>> grab(SetId set, ObjectId object, OpOptions options);
  // A read copy is brought here, if there is none, and no lease taken.
  Co<Status> prefetch(SetId set, ObjectId object, OpOptions options);
  // The objects first ... first + count - 1, as get(), grab() and prefetch() have them, in that
  // order. Requires  this outlives the Range.
  Range get_range(SetId set, ObjectId first, std::uint64_t count, OpOptions options);
  Range grab_range(SetId set, ObjectId first, std::uint64_t count, OpOptions options);
  // Also for writing. Errors  of the first that could not be brought; the others are
  Co<Status> prefetch_range(SetId set, ObjectId first, std::uint64_t count, OpOptions options,
                            LeaseKind kind = LeaseKind::read);
  // Gives up this node's copy; what only it has goes to `to`, or to another node. If the set's
  // linker writes back, that is done before.
  // Errors  limit_reached  no other node can take it; the linker's: the copy stays
  Co<Status> flush(SetId set, ObjectId object, OpOptions options, NodeId to = kNoNode);
  // Returns when what was put before is on as many nodes as the set's `copies`.
  // And, if the set's linker writes back, in its file or wherever that is. Errors  the linker's too
  Co<Status> sync(SetId set, ObjectId object, OpOptions options);
  // Writes back all objects of the set that were written, on all nodes.
  // Errors  not_supported  its linker does not; the first of the linker's, after all were tried;
  //         timed_out  some have been written back
  Co<Status> sync(SetId set, Deadline deadline);
  // The object does not exist any more. not_found: it did not.
  Co<Status> remove(SetId set, ObjectId object, OpOptions options);

  // --- Tasks
  // The memory that this node's tasks share: copies lie in it from now on.
  // Requires  once; it outlives this.
  void use_store(NodeStore& store) noexcept;
  // As get() and grab(), for a task: it takes the lease over, and ends it by itself.
  // `others`, looked at last when it is granted: further tasks of this node want the same, and will
  // look for themselves.
  // Errors  limit_reached  the task holds too many; not_supported  there is no store
  Co<Result<Grant>> lease_for(TaskIndex task, LeaseKind kind, SetId set, ObjectId object,
                              OpOptions options, const bool* others = nullptr);
  // The object that the task's table names at `lease`, held for writing, gets another size; the
  // lease goes on as the grant. `how`: why it has not, if so: the lease then goes on unchanged.
  // Errors  invalid_argument  no such lease: nothing has changed
  Result<Grant> resize_for(TaskIndex task, SlotId slot, std::uint32_t lease, std::size_t size,
                           Errc& how);
  // A task has rung: it has ended a lease that somebody may wait for.
  void on_ring() noexcept;
  // A task is gone; what NodeStore::release_all() has said of it.
  void on_released(const NodeStore::Released& released) noexcept;

  // Where the object is at home in the present view. Suspends only for a set that is not known yet.
  // Errors  not_found  no such set; those of get()
  Co<Result<NodeId>> home_of(SetId set, ObjectId object, Deadline deadline);
  // Nothing: this node has not heard of the set, or it is no more. Good until the next turn.
  const SetOptions* options_here(SetId set) const noexcept;
  // Whether this node has a readable copy. Cost: a look-up.
  bool find(SetId set, ObjectId object) const noexcept;

  // --- ViewListener
  const char* name() const noexcept override { return "kddm"; }
  // Of a node that leaves: gives everything it holds to others.
  Co<Status> prepare(const cluster::ViewChange& change, Deadline deadline) override;
  void abort(const cluster::ViewChange& change) noexcept override;
  void commit(const cluster::ViewChange& change) noexcept override;

  // Everything this node knows of objects. Cost: all of it is copied.
  std::vector<ObjectState> dump() const;
  // Operations that wait.
  std::size_t pending() const noexcept;
  Epoch epoch() const noexcept;
  const cluster::NodeSet& members() const noexcept;
  // Whether all members of this view have told this node what they hold.
  bool settled() const noexcept;
  // Of the copies here, as allocated.
  std::uint64_t used_bytes() const noexcept;
  MemoryUse memory_use() const noexcept;

 private:
  friend class Range;

  bool may_serve_later(const Status& may) const noexcept;
  Co<Status> may_serve(Deadline deadline);
  Result<Set*> know(SetId set, ObjectId object);
  Co<Result<Set*>> learn(SetId set, ObjectId object, Deadline deadline);
  Co<Result<Lease>> lease(Kind kind, SetId set, ObjectId object, OpOptions options);
  Co<Status> simple(Kind kind, SetId set, ObjectId object, OpOptions options, NodeId to = kNoNode,
                    std::uint16_t flags = 0);
  Co<Status> leave(Deadline deadline);
  Co<Status> write_own_files(Deadline deadline);
  Co<Status> give_everything(bool last, Deadline deadline);
  void serve();
  void serve_leaves();
  void serve_name_spaces();
  // No lease for the default one, which never ends. Errors  not_found
  Co<Result<Lease>> hold_name_space(NameSpaceId id, Deadline deadline);

  std::unique_ptr<Service> service_;
  std::uint64_t sets_made_ = 0;
  bool has_served_ = false;
};

}  // namespace krg::kddm
