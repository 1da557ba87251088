// kddm/block.h: the bytes of one copy of an object.
//
// Model    a Block is shared by the copy that it is, the leases on it, and the messages that carry
//          it; the last one frees it, or tells its keeper. Who holds a write lease writes in place:
//          a message that is under way then has been received already (docs/design/kddm.md,
//          "Data").
// Threads  owned by the reactor's thread.
// Blocks   never.
// Source   docs/design/kddm.md, "Data"
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

#include "krg/channel/data.h"
#include "krg/rpc/buffer.h"

namespace krg::kddm {

// Who lends memory to a Block, and is told when the last user has gone.
class BlockKeeper {
 public:
  virtual void unused(std::uint64_t key) noexcept = 0;

 protected:
  ~BlockKeeper() = default;
};

class Block {
 public:
  Block() = default;
  // `size` bytes, contents undefined. Empty if memory is exhausted.
  static Block make(std::size_t size) noexcept;
  // A copy of `bytes`.
  static Block copy(std::span<const std::byte> bytes) noexcept;
  // Takes over what has arrived.
  static Block adopt(rpc::Buffer buffer) noexcept;
  // Bytes that are the keeper's.
  static Block lend(std::span<std::byte> bytes, BlockKeeper& keeper, std::uint64_t key) noexcept;

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
    return head_ == nullptr ? std::span<std::byte>()
                            : std::span(head_->begin, std::size_t{head_->size});
  }
  std::size_t size() const noexcept { return head_ == nullptr ? 0 : head_->size; }
  // What a copy of `size` bytes takes on the heap, with all that is known of it.
  static constexpr std::uint64_t footprint(std::uint64_t size) noexcept { return 128 + size; }
  // The bytes for a message, which uses them until they have arrived.
  Data share() const noexcept { return head_ == nullptr ? Data() : Data::shared(*head_, bytes()); }
  // Whether this is the only user. Requires  not empty.
  bool unique() const noexcept { return head_->users == 1; }
  bool is_lent() const noexcept { return head_ != nullptr && head_->lent; }
  // Snapshots of it: who is to write must have other bytes. Requires  not empty; as many thaws.
  bool is_frozen() const noexcept { return head_ != nullptr && head_->frozen > 0; }
  void freeze() const noexcept { ++head_->frozen; }
  void thaw() const noexcept { --head_->frozen; }
  // The keeper has moved the bytes, for all users. Requires  lent.
  void move_to(std::span<std::byte> bytes) const noexcept {
    head_->begin = bytes.data();
    head_->size = static_cast<std::uint32_t>(bytes.size());
  }

 private:
  // The bytes follow it, unless it is an Around.
  struct Head : DataOwner {
    void keep() noexcept final { ++users; }
    void let_go() noexcept final {
      if (--users == 0) unused();
    }
    virtual void unused() noexcept;

    std::uint32_t users = 1;
    std::uint32_t frozen = 0;
    std::uint32_t size = 0;  // At most 1 GiB: SetOptions::kObjectBytesMax.
    bool lent = false;
    std::byte* begin = nullptr;
  };
  // Of bytes that are elsewhere.
  struct Around;

  explicit Block(Head* head) noexcept : head_(head) {}
  void release() noexcept {
    if (head_ != nullptr) head_->let_go();
  }

  Head* head_ = nullptr;
};

}  // namespace krg::kddm
