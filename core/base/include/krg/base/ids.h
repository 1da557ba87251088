// base/ids.h: the names of things, as types that do not mix.
//
// Model    values; each wraps one integer and compares by it.
// Threads  immutable.
// Blocks   never.
// Source   docs/design/layers.md
#pragma once

#include <compare>
#include <cstdint>
#include <functional>

namespace krg {

// An integer with a meaning: ids of different Tags neither compare nor convert.
template <class Tag, class Integer>
struct StrongId {
  using Value = Integer;
  Integer value = 0;

  constexpr StrongId() = default;
  constexpr explicit StrongId(Integer v) : value(v) {}
  constexpr auto operator<=>(const StrongId&) const = default;
};

// A node of the cluster, 0-based and dense enough to index an array.
using NodeId = StrongId<struct NodeIdTag, std::uint32_t>;
// One life of a krgd on a node. A node that comes back has a higher one; messages of the dead are
// dropped.
using Incarnation = StrongId<struct IncarnationTag, std::uint32_t>;
// The number of a membership view; grows by one with every agreed change.
using Epoch = StrongId<struct EpochTag, std::uint32_t>;
// A service that a node offers over rpc.
using ServiceId = StrongId<struct ServiceIdTag, std::uint16_t>;

inline constexpr NodeId kNoNode{0xffffffffu};

}  // namespace krg

template <class Tag, class Integer>
struct std::hash<krg::StrongId<Tag, Integer>> {
  std::size_t operator()(krg::StrongId<Tag, Integer> id) const noexcept {
    return std::hash<Integer>{}(id.value);
  }
};
