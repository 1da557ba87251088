// heap/heap.h: malloc() in a region: what a task of one node allocates, tasks of all may use and
// free.
//
// Model    a heap takes a whole region, and is there as soon as somebody opens it; pointers mean
//          the same on all nodes, as the region lies at one address. Each process has chunks of the
//          region of its own, and each thread a cache of free blocks, so that most calls touch no
//          memory that others use; who frees another process's block sends it back there, some at
//          a time. A region that grows gives more.
// Threads  safe. A child of fork() goes on with chunks of its own.
// Blocks   as loads and stores of the region do.
// Source   Berger et al., Hoard, 2000; Leijen et al., mimalloc, 2019; docs/design/mm.md, "Heap"
#pragma once

#include <cstddef>
#include <memory>

#include "krg/error/result.h"
#include "krg/region/region.h"

namespace krg {

class Heap {
 public:
  static constexpr std::size_t kAlign = 16;  // Of every block.
  // Processes that have one heap open at a time, those that were killed counted.
  static constexpr std::size_t kOwnersMax = 1024;

  // The heap in `region`, which is used for nothing else and outlives this. A process opens it
  // once, and its threads share that.
  // Errors  invalid_argument  something else is in the region, it is too small, or is elsewhere
  //         than at home; denied  it was attached to be read; limit_reached  kOwnersMax
  static Result<Heap> open(const Region& region);
  Heap(Heap&&) noexcept;
  Heap& operator=(Heap&&) noexcept;
  // What is allocated stays. Requires  no other thread uses it any more.
  ~Heap();

  // nullptr: the region is full, or no power of two. 0 bytes are a block too. Cost: of up to
  // 16 KiB, mostly that of a thread's own list.
  void* allocate(std::size_t bytes) noexcept { return allocate(bytes, kAlign); }
  void* allocate(std::size_t bytes, std::size_t align) noexcept;
  // As realloc(3). nullptr  `block` stays as it was.
  void* reallocate(void* block, std::size_t bytes) noexcept;
  // Whoever has allocated it. nullptr is nothing.
  // Errors  invalid_argument  that is no block of this heap, as far as can be told
  Status free(void* block) noexcept;
  // How much the block holds; 0: it is none.
  std::size_t size_of(const void* block) const noexcept;
  // Gives back what the calling thread keeps for later, its own and others' blocks.
  void flush() noexcept;

  class Impl;

 private:
  explicit Heap(std::shared_ptr<Impl> impl) noexcept;
  std::shared_ptr<Impl> impl_;  // Shared with the caches of threads, which may end later.
};

}  // namespace krg
