// store/residence.h: memory in which a set's copies lie, and whose users need no leases.
//
// Model    a set whose linker has a residence keeps each copy of this node in a place of that
//          residence, which others (tasks that map it) read and write without a word to kddm. So
//          before the protocol gives up the right to write, or to read, it withdraws that from
//          them, and never asks whether it may: a residence that wants a copy to stay for a while
//          holds a lease on it. It lets its users in by itself, while it holds a lease.
// Threads  the reactor's thread.
// Blocks   never.
// Source   docs/decisions/0009-pages-are-withdrawn.md; docs/design/mm.md
#pragma once

#include <cstddef>
#include <span>

#include "krg/store/ids.h"

namespace krg::kddm {

class Residence {
 public:
  virtual ~Residence() = default;

  // Where the object's copy is to lie; nobody sees it there until somebody holds a lease. The
  // same bytes each time, `SetOptions::object_bytes` of them; none: it lies on the heap.
  // Each success is ended by a let_go() of the set, when kddm looks at the bytes no more.
  virtual std::span<std::byte> place(SetId set, ObjectId object) noexcept = 0;
  virtual void let_go(SetId set) noexcept = 0;
  // The contents of a place, as a whole; to look at the place itself may cost far more.
  virtual void write(SetId set, ObjectId object, std::span<const std::byte> from) noexcept = 0;
  virtual void read(SetId set, ObjectId object, std::span<std::byte> into) noexcept = 0;
  // Whether its users may see the copy now.
  virtual bool is_open(SetId set, ObjectId object) const noexcept = 0;
  // When it returns nobody can write the copy any more; who reads it may go on.
  virtual void protect(SetId set, ObjectId object) noexcept = 0;
  // When it returns nobody can see it any more, and its contents are gone.
  virtual void vacate(SetId set, ObjectId object) noexcept = 0;

  // --- For want of room. A copy is open, and nobody has a lease on it.
  // Whether it may go to another node.
  virtual bool may_move(SetId, ObjectId) const noexcept { return true; }
  // From now on it is noticed whether its users use it; until they do, is_warm() is false.
  virtual void cool(SetId, ObjectId) noexcept {}
  virtual bool is_warm(SetId, ObjectId) const noexcept { return false; }
};

}  // namespace krg::kddm
