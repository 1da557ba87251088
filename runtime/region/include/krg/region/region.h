// region/region.h: memory that tasks of all nodes share, as a task uses it.
//
// Model    a region has a name and a size; who attaches it gets it into its address space, and
//          reads and writes it with plain loads and stores, atomics included. A page is at any
//          time writable on one node, or readable on many: all see one order of all writes
//          (sequential consistency); less may be asked for (Consistency). Zeros at first. A region
//          lasts until it is destroyed, or the cluster ends. What only a failed node had is lost:
//          who touches it gets SIGBUS. If this node's krgd ends, so it is with all of it.
// Threads  safe. A child of fork() has what its parent had attached.
// Blocks   the calls up to a minute, a load or store until its page is here.
// Source   Kerrighed mm; docs/design/mm.md
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "krg/error/result.h"

namespace krg {

struct RegionOptions {
  // Where to map it; 0: where the region is at home. It must be free there,
  std::uintptr_t address = 0;
  // or else what is there goes, in one step; when the region does, its contents stay there as
  // memory of this process.
  bool replace = false;
  bool read_only = false;
  // The socket of this node's krgd; "" for the one that started this process (KRG_GATE).
  std::string gate;
};

// Which node keeps the word on a page, that is: who has it. Faults on pages that this node keeps
// and nobody else has take no message. The contents are where the page was used last, in any case.
enum class Placement : std::uint8_t {
  first_touch,  // The contents where they are touched first, the word spread evenly.
  block,        // As many successive pages at each of the nodes that there are,
  cyclic,       // or one at each, in turn.
  node,         // All at RegionShape::node.
};

// Which writes a read sees.
enum class Consistency : std::uint8_t {
  // All of them, in one order, on all nodes.
  sequential,
  // Those of tasks of this node; those of others that they have released before this node has last
  // acquired. Several nodes write one page at once, as long as no two write the same byte between
  // one such pair and the next. Locks (krg/locks) release and acquire by themselves; atomics do
  // not, and are atomic on their node alone.
  release,
  // Those of tasks of this node: each node has memory of its own of this name, zeros at first.
  local,
};

struct RegionShape {
  std::uintptr_t address = 0;  // Where all attach it; 0: where no other region of the cluster lies.
  std::size_t capacity = 0;    // Up to which it may grow; 0: not at all.
  Placement placement = Placement::first_touch;
  std::uint32_t node = 0;
  Consistency consistency = Consistency::sequential;
  // Nodes that have each page after a sync(); so one less may fail at a time. 1 to 8.
  std::uint32_t copies = 1;
};

class Region {
 public:
  enum class Rights : std::uint8_t { read_write, read_only };

  // Makes a region; nobody has it yet. `address`: where all attach it; 0: at addresses that no
  // other region of the cluster has.
  // Errors  already_exists; too_large  more than 2^40 bytes; not_found  not started by krg; those
  //         of gate::Control::connect()
  static Status create(const std::string& name, std::size_t bytes, std::uintptr_t address = 0,
                       const std::string& gate = "");
  // Errors  invalid_argument  no such node; those above
  static Status create(const std::string& name, std::size_t bytes, const RegionShape& shape,
                       const std::string& gate = "");
  // Maps it.
  // Errors  not_found  no such region; already_exists  something is mapped there, or this process
  //         has it there already; not_supported, denied  no userfaultfd; those of create()
  static Result<Region> attach(const std::string& name, const RegionOptions& options = {});
  // Makes a region of memory that this process has, whole pages of it: it stays where it is, with
  // what is in it, and other tasks attach the region with RegionOptions::replace. When the Region
  // goes, the contents as they are then are memory of this process again.
  // Requires  no other thread uses the memory meanwhile; if it is a stack, that of a thread that
  // does not end before (and see krg/region/adopt.h for a program's segments).
  // Errors  invalid_argument  no whole pages, or not memory that this process alone has and may
  // write; not_supported  this kind of processor; those of create() and attach(): then it is as it
  // was. If this process dies meanwhile, destroy() makes the name free again.
  static Result<Region> adopt(const std::string& name, std::span<std::byte> memory,
                              const std::string& gate = "");
  // attach(), after create() if there is none yet.
  // Errors  invalid_argument  there is one of another size
  static Result<Region> open(const std::string& name, std::size_t bytes,
                             const RegionOptions& options = {});
  // Ends it on all nodes, whoever has attached it: they get SIGBUS.
  static Status destroy(const std::string& name, const std::string& gate = "");

  Region(Region&&) noexcept;
  Region& operator=(Region&&) noexcept;
  // Unmaps it.
  ~Region();

  std::span<std::byte> bytes() const noexcept;
  std::byte* data() const noexcept { return bytes().data(); }
  // What it is now: others may change it.
  std::size_t size() const noexcept { return bytes().size(); }
  std::size_t capacity() const noexcept;
  // Whether it was attached to be written, and whether where all have it by default.
  bool is_writable() const noexcept;
  bool is_at_home() const noexcept;

  // On all nodes when it returns: whole pages; what is behind the new end is gone, who touches it
  // gets SIGBUS, and it is zeros should the region grow again.
  // Errors  invalid_argument, too_large  0, or more than its capacity; timed_out, peer_down  some
  //         node may not know yet: to be called again
  Status resize(std::size_t bytes);
  // Of all tasks on all nodes when it returns: who writes what is read-only gets SIGSEGV, also who
  // waits for a page to write it. Errors  timed_out, peer_down  as resize()
  Status protect(Rights rights);
  // The same of a part: the pages that have some of its bytes.
  // Errors  invalid_argument  bytes behind its end; limit_reached  more than 200 parts
  Status protect(std::size_t offset, std::size_t length, Rights rights);

  // Of release consistency; else they do nothing. Between them other tasks' writes are seen, or
  // not. All tasks of a node have one copy, so both are for all of them.
  // What this node's tasks have written is released when it returns.
  // Cost    of the pages written since: a message to each of their homes, and one more
  // Errors  timed_out; lost  some of it, with a node
  Status release();
  // What others have released is seen when it returns.
  // Cost    a message; of the pages that others have written since: they are fetched again
  // Errors  timed_out
  Status acquire();

  // What this node's tasks had written when it was called is on as many nodes as the region has
  // copies, when it returns; so it survives that many less one. So is what another node has seen
  // of a region of two copies. Nothing else is promised of a plain store. Cost: one round trip for
  // up to 64 pages that were written since the last time.
  // Errors  timed_out, and what a lost page gives: some are not safe; to be called again
  Status sync();

  // Whether system calls can read and write its memory before the process has touched it; else they
  // may end with EFAULT. See `sysctl vm.unprivileged_userfaultfd`, and the rights of
  // /dev/userfaultfd.
  bool serves_system_calls() const noexcept;

 private:
  friend struct BulkAccess;
  class Impl;
  explicit Region(std::unique_ptr<Impl> impl) noexcept;
  std::unique_ptr<Impl> impl_;
};

}  // namespace krg
