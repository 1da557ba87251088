// owner.h: the chunks of one process, and which of their blocks are free.
//
// Model    all in the process's own memory: blocks are numbers until they are given out, so that no
//          page of the region is touched for them. What others send is looked at when a list is
//          empty. Chunks none of whose blocks is used go back.
// Threads  owned by who holds the heap's mutex.
// Blocks   as loads and stores of the region do.
// Source   docs/design/mm.md, "Heap"
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

#include "chunks.h"
#include "krg/heap/size_class.h"

namespace krg::heap {

class Owner {
 public:
  explicit Owner(Chunks& chunks) noexcept : chunks_(chunks) {}
  Owner(const Owner&) = delete;
  Owner& operator=(const Owner&) = delete;

  // Errors  those of Chunks::become_owner()
  Status begin();
  // Leaves what is used to whoever comes next. Requires  no blocks are kept elsewhere.
  void end() noexcept;
  // In a child of fork(): all of it is the parent's.
  void forget() noexcept;

  std::uint16_t number() const noexcept { return number_; }
  // Up to `most` blocks of a class, by their offsets. None: the region is full.
  void take(unsigned size_class, std::size_t most, std::vector<std::uint64_t>& into);
  // Requires  blocks of chunks of this owner.
  void give(std::uint64_t offset);
  // Chunks for one block. nullopt: the region is full.
  std::optional<std::uint64_t> take_large(std::uint64_t count, std::uint64_t align) noexcept;
  // Those that others have freed.
  void receive();

 private:
  struct Chunk {
    std::uint64_t index = 0;
    unsigned size_class = 0;
    std::uint32_t blocks = 0;
    std::uint32_t used = 0;           // So many have ever been given out,
    std::vector<std::uint16_t> free;  // and of those these are back.
    bool listed = false;              // In partial_.

    bool is_empty() const noexcept { return free.size() == used; }
    bool has_free() const noexcept { return used < blocks || !free.empty(); }
  };

  Chunk* add(std::uint64_t index, unsigned size_class);
  Chunk* make(unsigned size_class);
  void inherit();
  void list(Chunk& chunk);
  void take_of(Chunk& chunk, std::size_t most, std::vector<std::uint64_t>& into);
  bool is_block(std::uint64_t offset) const noexcept;

  Chunks& chunks_;
  std::uint16_t number_ = kNoOwner;
  std::uint64_t hint_ = 0;
  std::unordered_map<std::uint64_t, std::unique_ptr<Chunk>> all_;  // By index.
  std::array<std::vector<Chunk*>, kClasses> partial_;              // That have free blocks.
};

}  // namespace krg::heap
