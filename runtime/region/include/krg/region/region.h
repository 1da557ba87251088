// region/region.h: memory that tasks of all nodes share, as a task uses it.
//
// Model    a region has a name and a size; who attaches it gets it into its address space, and
//          reads and writes it with plain loads and stores, atomics included. A page is at any
//          time writable on one node, or readable on many: all see one order of all writes
//          (sequential consistency). Zeros at first. A region lasts until it is destroyed, or the
//          cluster ends. What only a failed node had is lost: who touches it gets SIGBUS. If this
//          node's krgd ends, so it is with all of it.
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
  // Where to map it; 0: where the region is at home. It must be free there.
  std::uintptr_t address = 0;
  bool read_only = false;
  // The socket of this node's krgd; "" for the one that started this process (KRG_GATE).
  std::string gate;
};

class Region {
 public:
  // Makes a region; nobody has it yet. `address`: where all attach it; 0: at addresses that no
  // other region of the cluster has.
  // Errors  already_exists; too_large  more than 2^40 bytes; not_found  not started by krg; those
  //         of gate::Control::connect()
  static Status create(const std::string& name, std::size_t bytes, std::uintptr_t address = 0,
                       const std::string& gate = "");
  // Maps it.
  // Errors  not_found  no such region; already_exists  something is mapped there, or this process
  //         has it there already; not_supported, denied  no userfaultfd; those of create()
  static Result<Region> attach(const std::string& name, const RegionOptions& options = {});
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
  std::size_t size() const noexcept { return bytes().size(); }
  // Whether system calls can read and write its memory before the process has touched it; else they
  // may end with EFAULT. See `sysctl vm.unprivileged_userfaultfd`, and the rights of
  // /dev/userfaultfd.
  bool serves_system_calls() const noexcept;

 private:
  class Impl;
  explicit Region(std::unique_ptr<Impl> impl) noexcept;
  std::unique_ptr<Impl> impl_;
};

}  // namespace krg
