// mm_calls/region_info.h: what a region is, as every node and every task of it knows.
//
// Model    values; what comes from elsewhere is checked where it is used.
// Threads  immutable.
// Blocks   never.
// Source   docs/design/mm.md
#pragma once

#include <cstdint>
#include <string>

#include "krg/cluster/node_set.h"
#include "krg/mm_calls/page_ranges.h"
#include "krg/store/ids.h"
#include "krg/wire/codec.h"

namespace krg::mm {

inline constexpr std::uint64_t kPageBytes = 4096;
inline constexpr std::uint64_t kRegionBytesMax = std::uint64_t{1} << 40;
inline constexpr std::size_t kRegionNameMax = 200;
inline constexpr std::uint32_t kRegionCopiesMax = 8;

// The bytes of the pages that `bytes` need.
constexpr std::uint64_t whole_pages(std::uint64_t bytes) noexcept {
  return (bytes + kPageBytes - 1) / kPageBytes * kPageBytes;
}

// Which node keeps the word on a page: who has it. Its contents are where it is used.
enum class Placement : std::uint8_t {
  first_touch,  // Contents where they are touched first, and the word spread evenly.
  block,        // As many successive pages at each node.
  cyclic,       // One page at each node, in turn.
  node,         // All at one.
};

// Which writes a read must see.
enum class Consistency : std::uint8_t {
  sequential,  // All of them, in one order.
  release,     // Those that an acquire has seen released; several nodes write a page at once.
  local,       // Those of its node: each node has memory of its own.
};

// What every node and every task knows of a region, and what never changes.
struct RegionInfo {
  kddm::SetId set;
  std::uint64_t address = 0;   // Where all map it, if they do not wish otherwise.
  std::uint64_t bytes = 0;     // At first.
  std::uint64_t capacity = 0;  // Up to which it may grow.
  Placement placement = Placement::first_touch;
  NodeId home = kNoNode;   // Placement::node
  cluster::NodeSet nodes;  // Placement::block and cyclic
  std::string name;
  Consistency consistency = Consistency::sequential;
  std::uint32_t copies = 1;  // Nodes that have a page which is safe.
  bool stays = false;        // No page leaves its node because that is full.
  static void wire_fields(auto& m, auto&& visit) {
    visit(m.set, m.address, m.bytes, m.capacity, m.placement, m.home, m.nodes, m.copies, m.stays,
          m.name, m.consistency);
  }
};

// What may change.
struct RegionState {
  std::uint64_t version = 0;  // 0: as at first.
  std::uint64_t bytes = 0;
  PageRanges read_only;  // Which of the pages up to its capacity may not be written.
  static void wire_fields(auto& m, auto&& visit) { visit(m.version, m.bytes, m.read_only); }
};

}  // namespace krg::mm
