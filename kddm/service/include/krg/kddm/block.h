// kddm/block.h: the bytes of one copy of an object.
//
// Model    a Block is shared by the copy that it is, the leases on it, and the messages that carry
//          it; the last one frees it. Who holds a write lease writes in place: a message that is
//          under way then has been received already (docs/design/kddm.md, "Data").
// Threads  owned by the reactor's thread.
// Blocks   never.
// Source   docs/design/kddm.md, "Data"
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

#include "krg/rpc/buffer.h"

namespace krg::kddm {

class Block {
 public:
  Block() = default;
  // `size` bytes, contents undefined. Empty if memory is exhausted and size > 0.
  static Block make(std::size_t size) noexcept;
  // A copy of `bytes`.
  static Block copy(std::span<const std::byte> bytes) noexcept;
  // Takes over what has arrived.
  static Block adopt(rpc::Buffer buffer) noexcept;

  Block(const Block& other) noexcept : head_(other.head_) {
    if (head_ != nullptr) ++head_->users;
  }
  Block(Block&& other) noexcept : head_(std::exchange(other.head_, nullptr)) {}
  Block& operator=(Block other) noexcept {
    std::swap(head_, other.head_);
    return *this;
  }
  ~Block() { release(); }

  explicit operator bool() const noexcept { return head_ != nullptr; }
  std::span<std::byte> bytes() const noexcept {
    return head_ == nullptr ? std::span<std::byte>() : std::span(head_->begin, head_->size);
  }
  std::size_t size() const noexcept { return head_ == nullptr ? 0 : head_->size; }

 private:
  struct Head {
    std::uint32_t users = 1;
    std::size_t size = 0;
    std::byte* begin = nullptr;
    rpc::Buffer adopted;
  };

  explicit Block(Head* head) noexcept : head_(head) {}
  void release() noexcept;

  Head* head_ = nullptr;
};

}  // namespace krg::kddm
