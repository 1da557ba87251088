// placement/policy.h: how the user wants ranks mapped, numbered and bound.
//
// Model    the grammar of PRRTE's --map-by, --rank-by and --bind-to as values. Names are taken in
//          any case. What the user did not say stays unset; place() fills it in from the job.
// Threads  immutable.
// Blocks   never.
// Source   prterun(1); docs/design/placement.md
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "krg/error/result.h"
#include "krg/topo/cpuset.h"
#include "krg/topo/topology.h"

namespace krg::placement {

enum class MapBy : std::uint8_t {
  slot,      // Fill the slots of a node, then the next node.
  node,      // One rank per node in turn.
  object,    // One rank per object of `level` in turn, within a node; then the next node.
  ppr,       // `count` ranks on every object of `level`.
  seq,       // The n-th rank on the n-th line of the file.
  rankfile,  // Each rank where the file says.
  pe_list    // Slot by slot, on the listed cpus.
};

struct Mapping {
  MapBy by = MapBy::slot;
  topo::Level level = topo::Level::machine;  // of object and ppr
  std::uint32_t count = 0;                   // of ppr
  std::string file;                          // of seq and rankfile
  topo::CpuSet cpus;                         // of pe_list: logical numbers of cores or threads
  bool ordered = false;                      // of pe_list: one cpu per rank, not all for each
};

// What stands behind the colons; meaningful with and without a Mapping.
struct MapModifiers {
  std::uint32_t pe = 0;               // Cores (or hardware threads) per rank; 0 = not said.
  bool span = false;                  // All nodes count as one.
  bool nolocal = false;               // Nothing on the node that krgrun runs on.
  bool hwtcpus = false;               // Hardware threads count as cpus, not cores.
  bool inherit = false;               // Spawned jobs get the same policy.
  std::optional<bool> oversubscribe;  // More ranks than slots: yes, no, not said.
};

enum class RankBy : std::uint8_t { slot, node, fill, span };

struct Binding {
  topo::Level level = topo::Level::machine;  // machine = none: no binding.
  bool overload = false;                     // More ranks than cpus on an object.
  bool if_supported = false;                 // No error where binding can not be done.
  bool report = false;                       // Say what was bound.
  std::uint32_t limit = 0;                   // At most that many ranks per object; 0 = no limit.
};

struct Policy {
  std::optional<Mapping> map;
  MapModifiers modifiers;
  std::optional<RankBy> rank;
  std::optional<Binding> bind;
};

// The value of one option. On failure `complaint` is one line for the user, without a full stop:
// "--map-by sockets: unknown; use slot, hwthread, core, ...".
//
// Errors  invalid_argument.
Status parse_map_by(std::string_view text, Policy& policy, std::string& complaint);
Status parse_rank_by(std::string_view text, Policy& policy, std::string& complaint);
Status parse_bind_to(std::string_view text, Policy& policy, std::string& complaint);

// Back to text: "numa", "ppr:2:package", "core:overload-allowed".
std::string to_string(const Mapping& mapping);
// What decides on one node: "core:pe=2:hwtcpus:oversubscribe".
std::string to_string(const Mapping& mapping, const MapModifiers& modifiers);
std::string_view to_string(RankBy rank) noexcept;
std::string to_string(const Binding& binding);

}  // namespace krg::placement
