// kddm/range.h: leases of many objects of a set, one after the other.
//
// Model    an object that is not here is asked for while the caller is still busy with those before
//          it; many requests and many objects then travel together. What comes ahead is held by
//          nobody: a lease begins when next() is called for it, so leases begin in the order of the
//          ids, and two nodes that take all of a range do not wait for each other in a circle.
//          Should a copy be gone by then, it is asked for again.
// Threads  the reactor's thread.
// Blocks   never; it suspends, until the deadline of its options, which is for all of the range.
// Source   Kerrighed kddm (prefetch of streams); docs/design/kddm.md, "Ranges"
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "krg/kddm/lease.h"
#include "krg/kddm/options.h"
#include "krg/reactor/co.h"
#include "krg/store/ids.h"

namespace krg::kddm {

class Range {
 public:
  // Objects are asked for so many ahead: of large ones fewer, with at most so many bytes.
  static constexpr std::uint64_t kAheadMax = 256;
  static constexpr std::uint64_t kAheadMin = 4;
  static constexpr std::uint64_t kAheadBytes = std::uint64_t{8} << 20;

  Range(Range&&) noexcept;
  Range& operator=(Range&&) noexcept;
  // Gives up what it has asked for; leases that next() has given go on.
  // Requires  none of its coroutines is suspended.
  ~Range();

  bool done() const noexcept;
  // What next() gives.
  ObjectId object() const noexcept;
  // The lease of object(), or why there is none; the object after it comes next in both cases.
  // Requires  !done(). One at a time. Cost: as Kddm::get(), of what is here.
  // Errors    those of Kddm::get()
  Co<Result<Lease>> next();
  // The leases of all that are left.
  // Errors  of the first that can not be had: then nothing of it is leased
  Co<Result<std::vector<Lease>>> rest();

 private:
  friend class Kddm;
  class Impl;
  explicit Range(std::unique_ptr<Impl> impl) noexcept;
  std::unique_ptr<Impl> impl_;
};

}  // namespace krg::kddm
