// Very many objects on three nodes: what one costs beside its bytes.
#pragma once

#include <cstdint>

#include "krg/error/result.h"

namespace krg::kddm {

// In bytes; of the segments of a node's store what they take in memory, of the heap what is
// allocated.
struct ObjectCost {
  double store = 0;  // A copy in the segments, without the bytes as allocated there.
  double heap = 0;   // The same copy on the heap, without its bytes if they lie there.
  double entry = 0;  // A directory entry; the home has one and the heir.

  double copy() const noexcept { return store + heap; }
};

// Node 0 makes `count` objects of `size` bytes whose home is node 1, and node 2 reads them all.
// `stores`: copies lie in node-shared stores, else on the heap.
Result<ObjectCost> make_many_objects(std::uint32_t count, std::uint64_t size, bool stores);

}  // namespace krg::kddm
