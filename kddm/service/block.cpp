#include "krg/kddm/block.h"

#include <cstdlib>
#include <cstring>
#include <new>

namespace krg::kddm {

Block Block::make(std::size_t size) noexcept {
  constexpr std::size_t kLine = 64;
  static_assert(sizeof(Head) <= kHeadRoom && kHeadRoom % kLine == 0);
  void* const memory = std::aligned_alloc(kLine, (kHeadRoom + size + kLine - 1) & ~(kLine - 1));
  if (memory == nullptr) return {};
  Head* const head = new (memory) Head;
  head->size = size;
  head->begin = static_cast<std::byte*>(memory) + kHeadRoom;
  return Block(head);
}

Block Block::around(std::span<std::byte> bytes) noexcept {
  Head* const head = new (std::nothrow) Head;
  if (head == nullptr) return {};
  head->alone = true;
  head->size = bytes.size();
  head->begin = bytes.data();
  return Block(head);
}

Block Block::copy(std::span<const std::byte> bytes) noexcept {
  Block block = make(bytes.size());
  if (block && !bytes.empty()) std::memcpy(block.head_->begin, bytes.data(), bytes.size());
  return block;
}

Block Block::adopt(rpc::Buffer buffer) noexcept {
  Block block = around(buffer.bytes());
  if (block) block.head_->adopted = std::move(buffer);
  return block;
}

Block Block::lend(std::span<std::byte> bytes, BlockKeeper& keeper, std::uint64_t key) noexcept {
  Block block = around(bytes);
  if (!block) return block;
  block.head_->keeper = &keeper;
  block.head_->key = key;
  return block;
}

void Block::Head::let_go() noexcept {
  if (--users > 0) return;
  BlockKeeper* const lender = keeper;
  const std::uint64_t name = key;
  if (alone) {
    delete this;
  } else {
    this->~Head();
    std::free(this);
  }
  if (lender != nullptr) lender->unused(name);
}

}  // namespace krg::kddm
