#include "krg/rpc/buffer.h"

#include <algorithm>
#include <bit>
#include <cstdlib>

#include "krg/base/assert.h"

namespace krg::rpc {
namespace {

constexpr std::size_t kSmallest = 256;
constexpr std::size_t kPage = 4096;

std::size_t class_of(std::size_t size) noexcept {
  return static_cast<std::size_t>(std::bit_width(std::max(size, kSmallest) - 1));
}

}  // namespace

BufferPool::~BufferPool() {
  KRG_ASSERT(in_use_ == 0);
  for (auto& list : free_) {
    for (std::byte* memory : list) std::free(memory);
  }
}

Buffer BufferPool::take(std::size_t size) {
  const std::size_t index = class_of(size);
  if (index >= kClasses) return {};
  const std::size_t capacity = std::size_t{1} << index;
  std::byte* memory = nullptr;
  if (!free_[index].empty()) {
    memory = free_[index].back();
    free_[index].pop_back();
    kept_bytes_ -= capacity;
  } else {
    const std::size_t alignment = capacity >= kPage ? kPage : 64;
    memory = static_cast<std::byte*>(std::aligned_alloc(alignment, capacity));
    if (memory == nullptr) return {};
  }
  ++in_use_;
  Buffer buffer({memory, capacity}, &give_back, this);
  buffer.resize(size);
  return buffer;
}

void BufferPool::give_back(void* context, std::span<std::byte> memory) noexcept {
  auto& pool = *static_cast<BufferPool*>(context);
  --pool.in_use_;
  if (pool.kept_bytes_ + memory.size() > kKeptBytesMax) {
    std::free(memory.data());
    return;
  }
  pool.kept_bytes_ += memory.size();
  pool.free_[class_of(memory.size())].push_back(memory.data());
}

}  // namespace krg::rpc
