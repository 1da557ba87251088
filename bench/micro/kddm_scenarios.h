// What is measured of kddm between nodes: who has an object before, and what node 0 then does.
//
// Node 0 is the client and measures; home, owner and readers are nodes of the server. The rows of
// Kerrighed's own bench are among them: get and grab of what was never touched, get from the owner,
// grab with one, two and three copies elsewhere, remove.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "krg/harness/program.h"

namespace krg::bench {

enum class KddmOp : std::uint8_t { get, grab, remove, range_get, hit_get, hit_grab };

struct KddmScenario {
  const char* before;  // The row's name is this, the size,
  const char* after;   // and this.
  KddmOp op;
  std::uint8_t nodes;    // At least so many are needed.
  std::uint8_t home;     // Of the objects.
  std::uint8_t writer;   // Who touches them first; kNobody.
  std::uint8_t copies;   // Nodes 1 ... copies have read copies then (or the writer alone, if 1).
  bool own = false;      // Node 0 has one too.
  bool carries = false;  // The object's bytes travel to node 0.
};
inline constexpr std::uint8_t kNobody = 255;

// How many objects a batch has of which each is used once; its peers use as many places.
inline constexpr std::uint32_t kObjects = 256;
inline constexpr std::uint32_t kStreamObjects = 4096;

// All of them; Job::detail is an index.
std::span<const KddmScenario> kddm_scenarios() noexcept;

// Latency rows for each of `sizes` that a cluster of `nodes` can play; hits are apart, because no
// wire is their peer.
std::vector<harness::Row> kddm_latency_rows(const std::vector<std::size_t>& sizes, unsigned nodes);
std::vector<harness::Row> kddm_hit_rows(const std::vector<std::size_t>& sizes);
// Gets of what node 1 has, `window` at once, or (0) as one range. The peers of a bandwidth move 1
// MiB in each message; smaller objects are got as many at once as such a message holds.
harness::Row kddm_stream_row(std::string name, harness::Kind kind, std::size_t size,
                             std::uint32_t window);

}  // namespace krg::bench
