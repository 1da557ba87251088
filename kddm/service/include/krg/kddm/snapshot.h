// kddm/snapshot.h: the bytes of an object as they were, for a reader that needs them longer than a
// lease should last.
//
// Model    copy_on_write() ends a lease and keeps what it saw. Writers go on: another node's write
//          brings new bytes, and a writer of this node gets a copy before it begins. An object in
//          the memory that tasks share is copied at once, for tasks write there without a word to
//          krgd. What is kept is no copy of the object any more: it is not counted, given up or
//          sent.
// Threads  the reactor's thread.
// Blocks   never.
// Source   Kerrighed kddm (break_cow, grab_cow); docs/design/kddm.md, "Copy on write"
#pragma once

#include <cstddef>
#include <span>
#include <utility>

#include "krg/error/result.h"
#include "krg/kddm/block.h"
#include "krg/kddm/lease.h"

namespace krg::kddm {

class Snapshot {
 public:
  Snapshot() = default;
  Snapshot(Snapshot&& other) noexcept
      : block_(std::move(other.block_)), frozen_(std::exchange(other.frozen_, false)) {}
  Snapshot& operator=(Snapshot&& other) noexcept {
    if (this != &other) {
      let_go();
      block_ = std::move(other.block_);
      frozen_ = std::exchange(other.frozen_, false);
    }
    return *this;
  }
  ~Snapshot() { let_go(); }

  std::span<const std::byte> bytes() const noexcept { return block_.bytes(); }
  // Breaks: the bytes are this snapshot's alone from now on, and may be written. The object does
  // not change by that.
  // Cost  a copy, if they are still shared. Errors  no_memory: they are as before
  Result<std::span<std::byte>> writable() noexcept;

 private:
  friend Result<Snapshot> copy_on_write(Lease lease) noexcept;
  void let_go() noexcept;

  Block block_;
  bool frozen_ = false;  // Shared with the object's copy: its writers must not write into it.
};

// Ends the lease; the snapshot keeps what it saw. Of a lease for writing: what it has written.
// Requires  `lease` is one.
// Cost  none, or a copy if the object lies in the memory that tasks share.
// Errors  no_memory  the lease has ended all the same
Result<Snapshot> copy_on_write(Lease lease) noexcept;

}  // namespace krg::kddm
