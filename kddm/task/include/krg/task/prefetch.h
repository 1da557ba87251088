// task/prefetch.h: objects that are on their way to this node while the task does something else.
//
// Model    begun by Space::start_prefetch(). No lease is held by it, and none is taken: what has
//          come may be gone again by the time it is asked for, and is asked for anew then. Dropping
//          it gives it up; what has come stays.
// Threads  owned by one thread at a time.
// Blocks   wait(): until all have come, or until the Use::timeout since it began.
// Source   Kerrighed kddm (async_get, async_grab); docs/design/kddm.md, "Ranges"
#pragma once

#include <memory>

#include "krg/error/result.h"

namespace krg::kddm {

class Space;

// Requires  its Space is still there.
class Prefetch {
 public:
  Prefetch(Prefetch&&) noexcept;
  Prefetch& operator=(Prefetch&&) noexcept;
  ~Prefetch();

  // Whether wait() would return at once. Cost: a load.
  bool ready() const noexcept;
  // Requires  once.
  // Errors  of the first that could not be brought; the others are here
  Status wait();

 private:
  friend class Space;
  class Impl;
  explicit Prefetch(std::unique_ptr<Impl> impl) noexcept;
  std::unique_ptr<Impl> impl_;
};

}  // namespace krg::kddm
