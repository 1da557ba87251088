#include "krg/reactor/frame_pool.h"

#include <array>
#include <new>

namespace krg::reactor {
namespace {

constexpr std::size_t kStep = 64;
constexpr std::size_t kClasses = 32;  // Up to 2 KiB.

struct FreeBlock {
  FreeBlock* next;
};

struct Pool {
  std::array<FreeBlock*, kClasses> free{};
  std::size_t in_use = 0;
  ~Pool() {
    for (FreeBlock* block : free) {
      while (block != nullptr) {
        FreeBlock* next = block->next;
        ::operator delete(block);
        block = next;
      }
    }
    free.fill(nullptr);
  }
};

thread_local Pool pool;

}  // namespace

void* allocate_frame(std::size_t bytes) {
  ++pool.in_use;
  const std::size_t index = (bytes - 1) / kStep;
  if (index >= kClasses) return ::operator new(bytes);
  if (FreeBlock* block = pool.free[index]; block != nullptr) {
    pool.free[index] = block->next;
    return block;
  }
  return ::operator new((index + 1) * kStep);
}

void free_frame(void* frame, std::size_t bytes) noexcept {
  --pool.in_use;
  const std::size_t index = (bytes - 1) / kStep;
  if (index >= kClasses) {
    ::operator delete(frame);
    return;
  }
  auto* block = static_cast<FreeBlock*>(frame);
  block->next = pool.free[index];
  pool.free[index] = block;
}

std::size_t frames_in_use() noexcept { return pool.in_use; }

}  // namespace krg::reactor
