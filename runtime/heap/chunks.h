// chunks.h: what of a heap lies in its region: who has which chunk, and blocks on their way home.
//
// Model    all zeros is an empty heap. The region is chunks of 64 KiB; the first ones are what is
//          described here: a mark, a page for each owner, a bit for each chunk that is taken, and a
//          word for each that says what it is. Bits are taken and given back by atomic
//          instructions: a process that dies leaves chunks taken, and stops nobody.
// Threads  safe, between all processes that map the region.
// Blocks   as loads and stores of the region do.
// Source   docs/design/mm.md, "Heap"
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "krg/error/result.h"
#include "krg/region/region.h"

namespace krg::heap {

inline constexpr std::uint64_t kChunkBytes = 64 << 10;
inline constexpr std::uint16_t kNoOwner = 0xffff;

// What a chunk is.
struct Kind {
  static constexpr std::uint8_t kNone = 0;  // Free, or in the midst of a large block.
  static constexpr std::uint8_t kSmall = 1;
  static constexpr std::uint8_t kLarge = 2;
  std::uint8_t kind = kNone;
  std::uint8_t size_class = 0;     // Of a small one.
  std::uint16_t owner = kNoOwner;  // Of a small one.
  std::uint32_t count =
      0;  // Of a large one: chunks. Of a small one that was left: blocks ever used.
};
static_assert(sizeof(Kind) == 8);

class Chunks {
 public:
  // Errors  as Heap::open()
  static Result<Chunks> open(const Region& region);

  std::uint64_t offset_of(const void* at) const noexcept {
    return static_cast<std::uint64_t>(static_cast<const std::byte*>(at) - base_);
  }
  std::byte* at(std::uint64_t offset) const noexcept { return base_ + offset; }
  // Whether there are blocks there.
  bool is_inside(const void* at) const noexcept;
  // Of the chunks, metadata and all.
  std::uint64_t count() const noexcept;

  // `count` chunks that lie together, the first at a multiple of `align` chunks' bytes; from
  // `hint` on, if there are any there.
  std::optional<std::uint64_t> take(std::uint64_t count, std::uint64_t align,
                                    std::uint64_t hint) noexcept;
  void give_back(std::uint64_t first, std::uint64_t count) noexcept;
  Kind kind(std::uint64_t chunk) const noexcept;
  void set_kind(std::uint64_t chunk, const Kind& kind) noexcept;

  // A number that no other process has. `inherited`: somebody has left it, with chunks.
  // Errors  limit_reached
  Result<std::uint16_t> become_owner(bool& inherited) noexcept;
  void leave(std::uint16_t owner) noexcept;
  // Blocks for their owner: offsets first ... last, each of which names the next in its first word.
  void send(std::uint16_t owner, std::uint64_t first, std::uint64_t last) noexcept;
  // The first of those that have come; 0: none. Cost: a load if there are none.
  std::uint64_t receive(std::uint16_t owner) noexcept;
  std::uint64_t& next(std::uint64_t offset) const noexcept {
    return *reinterpret_cast<std::uint64_t*>(at(offset));
  }

 private:
  using Word = std::atomic<std::uint64_t>;
  Chunks(const Region& region, std::uint64_t chunks);
  Word& word(std::uint64_t offset) const noexcept {
    return *reinterpret_cast<Word*>(base_ + offset);
  }
  Word& bits(std::uint64_t chunk) const noexcept { return word(bits_at_ + chunk / 64 * 8); }
  bool try_take(std::uint64_t first, std::uint64_t count) noexcept;
  std::optional<std::uint64_t> search(std::uint64_t begin, std::uint64_t end, std::uint64_t count,
                                      std::uint64_t align) noexcept;

  const Region* region_;
  std::byte* base_;
  std::uint64_t bits_at_;
  std::uint64_t kinds_at_;
  std::uint64_t first_;  // That is not metadata.
};

}  // namespace krg::heap
