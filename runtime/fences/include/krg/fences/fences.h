// fences/fences.h: what a process has to do before others see what it wrote, and before it sees
// what they wrote.
//
// Model    locks call release() before they let others on, and acquire() when they have been let
//          on. Memory that is consistent by such calls alone says here what they mean: one fence a
//          process, for all of its regions; none, as a rule.
// Threads  safe.
// Blocks   without a fence never; else as that says.
// Source   docs/design/mm.md, "Release consistency"
#pragma once

#include <atomic>

#include "krg/error/result.h"

namespace krg::fences {

class Fence {
 public:
  virtual Status release() = 0;
  virtual Status acquire() = 0;

 protected:
  ~Fence() = default;
};

// That of this process; nullptr: none.
inline std::atomic<Fence*>& current() noexcept {
  static constinit std::atomic<Fence*> fence{nullptr};
  return fence;
}

// Cost of both: without a fence a load.
inline Status release() {
  Fence* const fence = current().load(std::memory_order_acquire);
  return fence == nullptr ? Status() : fence->release();
}
inline Status acquire() {
  Fence* const fence = current().load(std::memory_order_acquire);
  return fence == nullptr ? Status() : fence->acquire();
}

}  // namespace krg::fences
