// rpc/buffer.h: bulk bytes on their way, owned by exactly one side at a time.
//
// Model    a Buffer owns a piece of memory and gives it back when destroyed: to its pool, or to
// whoever lent
//          it. What a transfer still needs is owned by the transfer, so a caller that gives up
//          early never leaves the network writing into memory that is used again.
// Threads  owned by the reactor's thread.
// Blocks   never.
// Source   docs/design/rpc.md, "Bulk data"
#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <utility>
#include <vector>

namespace krg::rpc {

class BufferPool;

class Buffer {
 public:
  // Gives `memory` back to its owner; `context` is what was given with it.
  using Release = void (*)(void* context, std::span<std::byte> memory) noexcept;

  Buffer() = default;
  // Lends `memory`, which must stay valid until `release` is called.
  Buffer(std::span<std::byte> memory, Release release, void* context) noexcept
      : memory_(memory), size_(memory.size()), release_(release), context_(context) {}
  Buffer(Buffer&& other) noexcept
      : memory_(std::exchange(other.memory_, {})),
        size_(std::exchange(other.size_, 0)),
        release_(std::exchange(other.release_, nullptr)),
        context_(other.context_) {}
  Buffer& operator=(Buffer&& other) noexcept {
    if (this != &other) {
      reset();
      memory_ = std::exchange(other.memory_, {});
      size_ = std::exchange(other.size_, 0);
      release_ = std::exchange(other.release_, nullptr);
      context_ = other.context_;
    }
    return *this;
  }
  ~Buffer() { reset(); }

  std::span<std::byte> bytes() noexcept { return memory_.first(size_); }
  std::span<const std::byte> bytes() const noexcept { return memory_.first(size_); }
  std::size_t size() const noexcept { return size_; }
  std::size_t capacity() const noexcept { return memory_.size(); }
  bool empty() const noexcept { return size_ == 0; }
  // Requires  size <= capacity().
  void resize(std::size_t size) noexcept { size_ = size; }
  void reset() noexcept {
    if (release_ != nullptr) std::exchange(release_, nullptr)(context_, memory_);
    memory_ = {};
    size_ = 0;
  }

 private:
  std::span<std::byte> memory_;
  std::size_t size_ = 0;
  Release release_ = nullptr;
  void* context_ = nullptr;
};

// Keeps freed buffers by power of two, so that bulk traffic neither allocates nor faults pages in.
class BufferPool {
 public:
  BufferPool() = default;
  BufferPool(const BufferPool&) = delete;
  BufferPool& operator=(const BufferPool&) = delete;
  // Requires  every Buffer of this pool is back.
  ~BufferPool();

  // A buffer of `size` bytes, contents undefined, page-aligned from 4 KiB up. Empty if memory is
  // exhausted.
  Buffer take(std::size_t size);
  // Buffers that are out.
  std::size_t in_use() const noexcept { return in_use_; }

 private:
  static constexpr std::size_t kClasses = 40;
  static constexpr std::size_t kKeptBytesMax = std::size_t{256} << 20;

  static void give_back(void* pool, std::span<std::byte> memory) noexcept;

  std::array<std::vector<std::byte*>, kClasses> free_;
  std::size_t kept_bytes_ = 0;
  std::size_t in_use_ = 0;
};

}  // namespace krg::rpc
