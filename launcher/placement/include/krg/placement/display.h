// placement/display.h: a map for people and for scripts.
//
// Model    pure: a map and the request it came from -> text (--display-map, --display-bindings,
//          --dry-run) or one JSON object.
// Threads  safe.
// Blocks   never.
// Source   krgrun(1)
#pragma once

#include <string>

#include "krg/placement/map.h"

namespace krg::placement {

// One line per node, then one per rank with where it was mapped and the cpus it is bound to.
std::string display_map(const Request& request, const Map& map);
// One line per rank: "rank 3 on n1: cpus 6-7 [../../../BB]", a character per hardware thread, '/'
// between cores, '][' between packages.
std::string display_bindings(const Request& request, const Map& map);
// {"map_by","rank_by","bind_to","nodes":[{"node","name","oversubscribed","ranks"}],
//  "ranks":[{"rank","node","local_rank","program","program_rank","mapped_to","cpus"}]}
std::string map_json(const Request& request, const Map& map);

}  // namespace krg::placement
