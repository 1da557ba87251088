// store/ids.h: the names of name spaces, sets and objects.
//
// Model    a set has a 64-bit id: reserved ones below kFirstFreeSet, given out by the service; else
//          made by a node from its own number and a counter, so that two nodes never make the
//          same. An object has a 64-bit id in its set.
// Threads  values.
// Blocks   never.
// Source   Kerrighed kddm (create_new_kddm_set); docs/design/kddm.md
#pragma once

#include <cstdint>

#include "krg/base/ids.h"

namespace krg::kddm {

using SetId = StrongId<struct SetIdTag, std::uint64_t>;
using ObjectId = StrongId<struct ObjectIdTag, std::uint64_t>;
// Each has sets and names of its own.
using NameSpaceId = StrongId<struct NameSpaceIdTag, std::uint32_t>;

inline constexpr NameSpaceId kDefaultNameSpace{0};  // "default"
inline constexpr SetId kNoSet{0};                   // "Make an id for me".
inline constexpr std::uint64_t kFirstFreeSet = 1024;
inline constexpr unsigned kSetCounterBits = 40;
inline constexpr std::uint64_t kSetCounterMax = (std::uint64_t{1} << kSetCounterBits) - 1;

// The `counter`-th set that `node` makes.
// Requires  node.value < 65535, 0 < counter <= kSetCounterMax.
constexpr SetId make_set_id(NodeId node, std::uint64_t counter) noexcept {
  return SetId{(std::uint64_t{node.value} + 1) << kSetCounterBits | counter};
}
constexpr bool is_reserved(SetId set) noexcept { return set.value < kFirstFreeSet; }
// Who made the id; kNoNode for a reserved or made-up one.
constexpr NodeId creator_of(SetId set) noexcept {
  const std::uint64_t node = set.value >> kSetCounterBits;
  return node == 0 || node > 65535 ? kNoNode : NodeId{static_cast<std::uint32_t>(node - 1)};
}

}  // namespace krg::kddm
