// cluster/node_set.h: a set of nodes, written "2,3,6-10".
//
// Model    sorted, disjoint, non-adjacent ranges. Its size is bounded by kNodesMax, whatever the
// text or
//          the bytes it came from say. No set has kNoNode.
// Threads  immutable but for insert, erase and assignment: owned by one thread.
// Blocks   never. Cost: contains() and insert() are logarithmic in the number of ranges.
// Source   Kerrighed krgnodelist syntax; docs/design/layers.md
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include "krg/base/ids.h"
#include "krg/error/result.h"
#include "krg/wire/codec.h"

namespace krg::cluster {

// Node ids are below this. An Error's peer takes 16 bits, one of which values means "none".
inline constexpr std::uint32_t kNodesMax = 65535;

// Nodes first ... last, both included.
struct NodeRange {
  std::uint32_t first = 0;
  std::uint32_t last = 0;
  constexpr bool operator==(const NodeRange&) const = default;
  static void wire_fields(auto& m, auto&& visit) { visit(m.first, m.last); }
};

class NodeSet {
 public:
  class Iterator;

  NodeSet() = default;
  NodeSet(std::initializer_list<NodeId> nodes);
  // Nodes first ... last. Requires  first <= last < kNodesMax.
  static NodeSet range(NodeId first, NodeId last);
  // Nodes 0 ... count-1. Requires  count <= kNodesMax.
  static NodeSet first(std::uint32_t count);

  // "2,3,6-10": any order, blanks around numbers, repetitions allowed; "" is the empty set.
  // Errors  invalid_argument  the error's text says what is wrong: nothing is guessed.
  static Result<NodeSet> parse(std::string_view text);
  // The shortest text that parses to this set.
  std::string format() const;

  bool empty() const noexcept { return ranges_.empty(); }
  std::size_t size() const noexcept;
  bool contains(NodeId node) const noexcept;
  // The node with `index` smaller ones before it. Requires  index < size().
  NodeId nth(std::size_t index) const noexcept;
  // How many nodes of the set are smaller than `node`; the inverse of nth() for a member.
  std::size_t index_of(NodeId node) const noexcept;
  NodeId min() const noexcept { return nth(0); }  // Requires  !empty().
  NodeId max() const noexcept;                    // Requires  !empty().

  // Requires  node.value < kNodesMax.
  void insert(NodeId node);
  void erase(NodeId node);

  NodeSet operator|(const NodeSet& other) const;
  NodeSet operator&(const NodeSet& other) const;
  NodeSet operator-(const NodeSet& other) const;
  bool operator==(const NodeSet&) const = default;
  bool is_subset_of(const NodeSet& other) const { return (*this - other).empty(); }

  const std::vector<NodeRange>& ranges() const noexcept { return ranges_; }
  Iterator begin() const noexcept;
  Iterator end() const noexcept;

  // From outside: sorts and merges. Errors  protocol_error  a range is reversed or out of bounds.
  static Result<NodeSet> from_ranges(std::vector<NodeRange> ranges);

 private:
  static NodeSet merged(std::vector<NodeRange> sorted);

  std::vector<NodeRange> ranges_;
};

// Gives every node in ascending order.
class NodeSet::Iterator {
 public:
  using iterator_category = std::forward_iterator_tag;
  using value_type = NodeId;
  using difference_type = std::ptrdiff_t;
  using pointer = const NodeId*;
  using reference = NodeId;

  Iterator() = default;
  explicit Iterator(const NodeRange* range, std::uint32_t offset = 0) noexcept
      : range_(range), offset_(offset) {}
  NodeId operator*() const noexcept { return NodeId{range_->first + offset_}; }
  Iterator& operator++() noexcept {
    if (range_->first + offset_ == range_->last) {
      ++range_;
      offset_ = 0;
    } else {
      ++offset_;
    }
    return *this;
  }
  Iterator operator++(int) noexcept {
    const Iterator before = *this;
    ++*this;
    return before;
  }
  bool operator==(const Iterator&) const = default;

 private:
  const NodeRange* range_ = nullptr;
  std::uint32_t offset_ = 0;
};

inline NodeSet::Iterator NodeSet::begin() const noexcept { return Iterator(ranges_.data()); }
inline NodeSet::Iterator NodeSet::end() const noexcept {
  return Iterator(ranges_.data() + ranges_.size());
}

}  // namespace krg::cluster

// As its ranges, whatever their order on the wire.
template <>
struct krg::wire::Codec<krg::cluster::NodeSet> {
  static constexpr std::size_t kMin = 4;
  static void put(Encoder& out, const cluster::NodeSet& set) { wire::put(out, set.ranges()); }
  static void get(Decoder& in, cluster::NodeSet& set) {
    std::vector<cluster::NodeRange> ranges;
    wire::get(in, ranges);
    auto result = cluster::NodeSet::from_ranges(std::move(ranges));
    if (!result) return in.fail();
    set = std::move(*result);
  }
};
