// protocol/copy_set.h: which nodes hold a copy, small when they are few.
//
// Model    up to kInline nodes in place, sorted; beyond that a bitmap on the heap, as long as the
//          highest node asks for (512 bytes for 4,096 nodes). 32 bytes in place.
// Threads  owned by one thread.
// Blocks   never. Cost: a few compares, or one bit.
// Source   docs/design/kddm.md, "State"
#pragma once

#include <array>
#include <cstdint>
#include <utility>

#include "krg/base/ids.h"

namespace krg::kddm {

class CopySet {
 public:
  static constexpr unsigned kInline = 12;

  CopySet() noexcept = default;
  CopySet(const CopySet& other);
  // Every step of the protocol moves two of them in and out: in the header for its speed.
  CopySet(CopySet&& other) noexcept { steal(other); }
  CopySet& operator=(CopySet&& other) noexcept {
    if (this != &other) {
      if (words_ != 0) delete[] many_;
      steal(other);
    }
    return *this;
  }
  CopySet& operator=(const CopySet& other) { return *this = CopySet(other); }
  ~CopySet() {
    if (words_ != 0) delete[] many_;
  }

  unsigned size() const noexcept { return size_; }
  bool empty() const noexcept { return size_ == 0; }
  bool contains(NodeId node) const noexcept;
  // The lowest node. Requires  !empty().
  NodeId first() const noexcept;
  // Requires  node.value < 65535.
  void insert(NodeId node);
  void erase(NodeId node) noexcept;
  void clear() noexcept;
  // Calls visit(NodeId) for each, in ascending order. `visit` must not change this set.
  template <class Visit>
  void for_each(Visit&& visit) const {
    if (words_ == 0) {
      for (unsigned i = 0; i < size_; ++i) visit(NodeId{few_[i]});
      return;
    }
    for (unsigned word = 0; word < words_; ++word) {
      for (std::uint64_t bits = many_[word]; bits != 0; bits &= bits - 1) {
        visit(NodeId{word * 64 + static_cast<std::uint32_t>(__builtin_ctzll(bits))});
      }
    }
  }
  bool operator==(const CopySet& other) const noexcept;

 private:
  void grow(unsigned words);
  // Requires  nothing here is to be freed.
  void steal(CopySet& other) noexcept {
    size_ = std::exchange(other.size_, std::uint16_t{0});
    words_ = std::exchange(other.words_, std::uint16_t{0});
    if (words_ == 0) {
      few_ = other.few_;
    } else {
      many_ = other.many_;
    }
  }

  std::uint16_t size_ = 0;
  std::uint16_t words_ = 0;  // Of the bitmap; 0: the nodes are in few_.
  union {
    std::array<std::uint16_t, kInline> few_ = {};
    std::uint64_t* many_;
  };
};
static_assert(sizeof(CopySet) == 32);

}  // namespace krg::kddm
