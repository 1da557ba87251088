// base/ring_queue.h: a first-in, first-out queue that keeps its memory.
//
// Model    a ring that doubles when it is full and never shrinks, so that a queue in steady use
//          allocates nothing; std::deque takes and frees a block every few elements.
// Threads  owned by one thread.
// Blocks   never. Cost: amortised O(1).
// Source   Knuth, The Art of Computer Programming, 2.2.2
#pragma once

#include <cstddef>
#include <utility>
#include <vector>

#include "krg/base/assert.h"

namespace krg {

// Requires  T has a default value and moves.
template <class T>
class RingQueue {
 public:
  bool empty() const noexcept { return size_ == 0; }
  std::size_t size() const noexcept { return size_; }

  void push_back(T value) {
    if (size_ == slots_.size()) grow();
    slots_[(first_ + size_++) & (slots_.size() - 1)] = std::move(value);
  }
  // Requires  !empty().
  T& front() noexcept {
    KRG_DASSERT(!empty());
    return slots_[first_];
  }
  T pop_front() noexcept {
    KRG_DASSERT(!empty());
    T value = std::exchange(slots_[first_], T{});
    first_ = (first_ + 1) & (slots_.size() - 1);
    --size_;
    return value;
  }

 private:
  void grow() {
    std::vector<T> bigger(slots_.empty() ? 8 : slots_.size() * 2);
    for (std::size_t i = 0; i < size_; ++i) {
      bigger[i] = std::move(slots_[(first_ + i) & (slots_.size() - 1)]);
    }
    slots_.swap(bigger);
    first_ = 0;
  }

  std::vector<T> slots_;  // A power of two of them.
  std::size_t first_ = 0;
  std::size_t size_ = 0;
};

}  // namespace krg
