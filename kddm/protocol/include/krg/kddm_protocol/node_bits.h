// kddm_protocol/node_bits.h: a small set of nodes in one word.
//
// Model    a bit per node id below kNodesMax; nodes outside are never members.
// Threads  immutable but for insert and erase: owned by one thread.
// Blocks   never.
// Source   docs/design/kddm.md, "Limits"
#pragma once

#include <bit>
#include <cstdint>

#include "krg/base/ids.h"

namespace krg::kddm_protocol {

// Nodes that can share an object. The entry and the copy must stay within 128 bytes.
inline constexpr std::uint32_t kNodesMax = 64;

class NodeBits {
 public:
  constexpr NodeBits() = default;
  static constexpr NodeBits of(NodeId node) { return NodeBits(bit(node)); }
  static constexpr NodeBits first(std::uint32_t count) {
    return NodeBits(count >= kNodesMax ? ~0ull : (1ull << count) - 1);
  }

  constexpr bool empty() const { return word_ == 0; }
  constexpr bool contains(NodeId node) const { return (word_ & bit(node)) != 0; }
  constexpr void insert(NodeId node) { word_ |= bit(node); }
  constexpr void erase(NodeId node) { word_ &= ~bit(node); }
  // The smallest member; kNoNode if there is none.
  constexpr NodeId min() const {
    return empty() ? kNoNode : NodeId{static_cast<std::uint32_t>(std::countr_zero(word_))};
  }
  // The first member behind `turn`, around the end: whoever waits is reached within one round.
  constexpr NodeId after(NodeId turn) const {
    const std::uint64_t behind = turn.value + 1 < kNodesMax ? ~0ull << (turn.value + 1) : 0;
    const NodeBits later(word_ & behind);
    return later.empty() ? min() : later.min();
  }
  constexpr bool is_subset_of(NodeBits other) const { return (word_ & ~other.word_) == 0; }
  constexpr NodeBits operator|(NodeBits o) const { return NodeBits(word_ | o.word_); }
  constexpr NodeBits operator&(NodeBits o) const { return NodeBits(word_ & o.word_); }
  constexpr NodeBits operator-(NodeBits o) const { return NodeBits(word_ & ~o.word_); }
  constexpr bool operator==(const NodeBits&) const = default;
  constexpr std::uint64_t word() const { return word_; }

 private:
  constexpr explicit NodeBits(std::uint64_t word) : word_(word) {}
  static constexpr std::uint64_t bit(NodeId node) {
    return node.value < kNodesMax ? 1ull << node.value : 0;
  }

  std::uint64_t word_ = 0;
};

}  // namespace krg::kddm_protocol
