#include "krg/kddm/block.h"

#include <cstdlib>
#include <cstring>
#include <new>

namespace krg::kddm {

// Many copies are small: their heads are to be so too.
Block Block::make(std::size_t size) noexcept {
  static_assert(sizeof(Head) == 32 && alignof(std::max_align_t) == 16);
  void* const memory = std::malloc(sizeof(Head) + size);
  if (memory == nullptr) return {};
  Head* const head = new (memory) Head;
  head->size = static_cast<std::uint32_t>(size);
  head->begin = static_cast<std::byte*>(memory) + sizeof(Head);
  return Block(head);
}

void Block::Head::unused() noexcept {
  this->Head::~Head();
  std::free(this);
}

struct Block::Around final : Head {
  explicit Around(std::span<std::byte> bytes) noexcept {
    begin = bytes.data();
    size = static_cast<std::uint32_t>(bytes.size());
  }
  void unused() noexcept override {
    BlockKeeper* const lender = keeper;
    const std::uint64_t name = key;
    delete this;
    if (lender != nullptr) lender->unused(name);
  }

  BlockKeeper* keeper = nullptr;
  std::uint64_t key = 0;
  rpc::Buffer adopted;
};

Block Block::copy(std::span<const std::byte> bytes) noexcept {
  Block block = make(bytes.size());
  if (block && !bytes.empty()) std::memcpy(block.head_->begin, bytes.data(), bytes.size());
  return block;
}

Block Block::adopt(rpc::Buffer buffer) noexcept {
  Around* const head = new (std::nothrow) Around(buffer.bytes());
  if (head != nullptr) head->adopted = std::move(buffer);
  return Block(head);
}

Block Block::lend(std::span<std::byte> bytes, BlockKeeper& keeper, std::uint64_t key) noexcept {
  Around* const head = new (std::nothrow) Around(bytes);
  if (head == nullptr) return {};
  head->lent = true;
  head->keeper = &keeper;
  head->key = key;
  return Block(head);
}

}  // namespace krg::kddm
