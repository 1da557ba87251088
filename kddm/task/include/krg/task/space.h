// task/space.h: the objects that the cluster shares, as a task uses them.
//
// Model    a Space is a process's way to them: it maps the memory that the tasks of its node share
//          and calls its krgd for what is not there. get() and grab() give leases; what the node
//          has already costs no call. A lease ends with its scope; hold it briefly: while it
//          lives, no other node can write the object (a read lease) or even read it.
// Threads  safe. A lease may be ended by another thread than began it. A child of fork() connects
//          anew.
// Blocks   until done, or until Use::timeout. What hits blocks never.
// Source   Kerrighed kddm; docs/design/kddm.md, "Tasks"
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "krg/base/deadline.h"
#include "krg/error/result.h"
#include "krg/share/local_store.h"
#include "krg/store/set_options.h"
#include "krg/task/prefetch.h"
#include "krg/task/range.h"
#include "krg/task/snapshot.h"
#include "krg/task/ticket.h"

namespace krg::kddm {

struct Use {
  Duration timeout = std::chrono::seconds(60);
  bool try_only = false;  // would_block rather than wait for others.
  bool no_touch = false;  // not_found rather than create.
  // Of a grab: what does not exist is made of zeros, without the set's linker (a file is not read):
  // the caller fills it. Others refuse it as invalid_argument if they would read, else ignore it.
  bool manual_touch = false;
  // Of a grab: when other tasks of this node ask for the same, one of them gets it, and the others
  // an empty lease: they are to look for themselves, by await_grab().
  bool share = false;
  // With manual_touch, of a set of variable size: what is grabbed without bytes gets so many.
  std::uint64_t touch_bytes = 0;
};

// What a process has asked of its Space: leases by get(), grab(), ranges and tickets.
struct SpaceStatistics {
  std::uint64_t gets = 0;    // Hits and misses.
  std::uint64_t grabs = 0;   // The same.
  std::uint64_t misses = 0;  // Of both: krgd was asked.
  std::uint64_t waits = 0;   // Of the misses: the object was here, and others used it.
  Duration waited{};         // For krgd's answers to get() and grab(), without those of tickets.
};

class Space {
 public:
  // `gate`: the socket of this node's krgd; "" for the one that started this process (KRG_GATE).
  // `name_space`: whose sets and names this Space is for; the first one to ask makes it.
  // Errors  not_found  not started by krg; those of gate::Client::connect(); denied
  //         already_exists  this process has a Space
  static Result<std::unique_ptr<Space>> connect(const std::string& gate = "",
                                                const std::string& name_space = "default");
  Space(const Space&) = delete;
  Space& operator=(const Space&) = delete;
  // Requires  no lease of it lives.
  ~Space();

  // Where krgd's socket is.
  const std::string& gate() const noexcept;

  // --- Sets. Errors as of kddm::Kddm, and peer_down: krgd is gone. All texts name the thing; ids
  // are the caller's to add. Sets are made in the Space's own name space, unless the options name
  // one that is not the default; an id that is known can be used from any.
  Result<SetId> create(const SetOptions& options, SetId wanted = kNoSet);
  Result<SetOptions> options_of(SetId set);
  Status destroy(SetId set);
  // Writes back all objects of the set that were written, on all nodes; with one fdatasync each, so
  // a large set wants a long Use::timeout.
  // Errors  not_supported  its linker does not; the first of the linker's, after all were tried;
  //         timed_out  some have been written back
  Status sync(SetId set, const Use& use = {});
  Status bind(const std::string& name, SetId set);
  Result<SetId> look_up(const std::string& name);
  Status unbind(const std::string& name);
  // The set of that name, in the name space in which create() would make it; the first one to ask
  // makes it.
  // Errors  already_exists  it is of other options
  Result<SetId> open(const std::string& name, const SetOptions& options);

  // --- Name spaces
  NameSpaceId name_space() const noexcept;
  // Errors  already_exists; limit_reached
  Result<NameSpaceId> create_name_space(const std::string& name);
  // Errors  not_found
  Result<NameSpaceId> find_name_space(const std::string& name);
  // Ends it with all its sets and names.
  // Errors  not_found; denied  the default one; timed_out  a part has gone: to be called again
  Status destroy_name_space(NameSpaceId id, const Use& use = {});

  // --- Objects. Errors as of kddm::Kddm, and peer_down.
  // Cost  a hit: a hash, three cache lines and three or four atomic operations.
  Result<ReadLease> get(SetId set, ObjectId object, const Use& use = {});
  Result<WriteLease> grab(SetId set, ObjectId object, const Use& use = {});
  // What is here by a handle of it, which spares the lookup; miss() says why there is none.
  Handle handle_of(SetId set, ObjectId object) const noexcept;
  ReadLease try_get(Handle handle) noexcept;
  WriteLease try_grab(Handle handle) noexcept;
  // As try_grab(); while another task of this node writes the object this sleeps, so long at most.
  WriteLease await_grab(Handle handle, Duration timeout) noexcept;
  // Gives an object of variable size another one; what fits stays, what is new is zero. Its bytes
  // may have moved.
  // Errors  invalid_argument  the set has no objects of this size: the lease goes on as it was;
  //           or the lease had ended before
  //         no_space, no_memory  the lease goes on as well
  Status resize(WriteLease& lease, std::size_t size);
  Status flush(SetId set, ObjectId object, NodeId to = kNoNode, const Use& use = {});
  Status sync(SetId set, ObjectId object, const Use& use = {});
  Status remove(SetId set, ObjectId object, const Use& use = {});
  // Returns when a copy is here.
  Status prefetch(SetId set, ObjectId object, const Use& use = {});
  // The objects first ... first + count - 1, in that order. Requires  this outlives the range.
  ReadRange get_range(SetId set, ObjectId first, std::uint64_t count, const Use& use = {});
  WriteRange grab_range(SetId set, ObjectId first, std::uint64_t count, const Use& use = {});
  // Also for writing. Errors  of the first that could not be brought; the others are
  Status prefetch_range(SetId set, ObjectId first, std::uint64_t count, const Use& use = {},
                        LeaseKind kind = LeaseKind::read);
  // The same without waiting for it. Requires  this outlives it.
  // Errors  invalid_argument  more than 4,096; would_block  64 calls of the task are under way
  Result<Prefetch> start_prefetch(SetId set, ObjectId first, std::uint64_t count,
                                  const Use& use = {}, LeaseKind kind = LeaseKind::read);
  // The same as above, without waiting; see Ticket. Requires  this outlives it.
  // Errors  would_block  64 calls of the task are under way
  Result<Ticket<ReadLease>> start_get(SetId set, ObjectId object, const Use& use = {});
  Result<Ticket<WriteLease>> start_grab(SetId set, ObjectId object, const Use& use = {});
  Result<Ticket<void>> start_flush(SetId set, ObjectId object, NodeId to = kNoNode,
                                   const Use& use = {});
  Result<Ticket<void>> start_sync(SetId set, ObjectId object, const Use& use = {});
  Result<Ticket<void>> start_remove(SetId set, ObjectId object, const Use& use = {});
  // Since it was connected. Cost: a look at 240 counters.
  SpaceStatistics statistics() const noexcept;
  // Whether this node has a copy that may be read. Cost: as a hit.
  bool find(SetId set, ObjectId object) noexcept;

 private:
  template <class Lease>
  friend class TaskRange;
  template <class T>
  friend class Ticket;
  class Impl;
  explicit Space(std::unique_ptr<Impl> impl);
  Status give_size(WriteLease& lease, const Use& use);
  std::unique_ptr<Impl> impl_;
};

}  // namespace krg::kddm
