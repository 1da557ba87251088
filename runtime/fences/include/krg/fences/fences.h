// fences/fences.h: what a process has to do before others see what it wrote, and before it sees
// what they wrote.
//
// Model    locks call release() before they let others on, and acquire() when they have been let
//          on. Memory that is consistent by such calls alone says here what they mean: one fence a
//          process, for all of its regions; none, as a rule. A lock that knows on which node it
//          was held last need not release: the next holder takes over what was written there, and
//          on the same node there is nothing to be done.
// Threads  safe.
// Blocks   without a fence never; else as that says.
// Source   docs/design/mm.md, "Release consistency"
#pragma once

#include <atomic>
#include <cstdint>

#include "krg/error/result.h"

namespace krg::fences {

class Fence {
 public:
  virtual Status release() = 0;
  virtual Status acquire() = 0;
  // This node; 0 is none.
  virtual std::uint32_t here() const = 0;
  // What was written at that node is released, and this one acquires it. 0: it acquires.
  virtual Status take_over(std::uint32_t node) = 0;

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

// A lock was taken that says that it was held last at `last`, with a fence; 0: at none. What it is
// to say from now on: `last`, if this process has no fence.
inline Result<std::uint32_t> take_over(std::uint32_t last, bool certain = true) {
  Fence* const fence = current().load(std::memory_order_acquire);
  if (fence == nullptr) return last;
  const std::uint32_t here = fence->here();
  if (last == here && certain) return here;
  KRG_TRY(fence->take_over(last));
  return here;
}

}  // namespace krg::fences
