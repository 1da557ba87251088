#include "krg/kddm/block.h"

#include <cstdlib>
#include <cstring>
#include <new>

namespace krg::kddm {
namespace {

// The bytes follow their head, on a cache line of their own.
constexpr std::size_t kHeadRoom = 64;

}  // namespace

Block Block::make(std::size_t size) noexcept {
  static_assert(sizeof(Head) <= kHeadRoom);
  void* memory =
      std::aligned_alloc(kHeadRoom, (kHeadRoom + size + kHeadRoom - 1) & ~(kHeadRoom - 1));
  if (memory == nullptr) return {};
  Head* head = new (memory) Head;
  head->size = size;
  head->begin = static_cast<std::byte*>(memory) + kHeadRoom;
  return Block(head);
}

Block Block::copy(std::span<const std::byte> bytes) noexcept {
  Block block = make(bytes.size());
  if (block && !bytes.empty()) std::memcpy(block.head_->begin, bytes.data(), bytes.size());
  return block;
}

Block Block::adopt(rpc::Buffer buffer) noexcept {
  Block block = make(0);
  if (!block) return block;
  block.head_->size = buffer.size();
  block.head_->begin = buffer.bytes().data();
  block.head_->adopted = std::move(buffer);
  return block;
}

void Block::release() noexcept {
  if (head_ == nullptr || --head_->users > 0) return;
  head_->~Head();
  std::free(head_);
}

}  // namespace krg::kddm
