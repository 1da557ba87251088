// control/traffic.h: the frames of a krgd's control connections, counted by type.
//
// Model    one per krgd, shared by its connections. A type is counted as "control.NAME.received"
//          and "control.NAME.sent" from its first frame on; bytes are those of bodies.
// Threads  owned by the reactor's thread; others may read.
// Blocks   the first frame of a type takes the registry's lock.
// Source   docs/design/launch.md, "Control connection"
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>

#include "krg/stats/registry.h"

namespace krg::control {

class Traffic {
 public:
  // What frames of a type are called; "" = they share the name "unknown".
  using NameOf = std::string (*)(std::uint16_t type);

  // Requires  `registry` outlives this.
  Traffic(stats::Registry& registry, NameOf name_of) : registry_(registry), name_of_(name_of) {}

  void received(std::uint16_t type, std::size_t bytes) { count(received_, type, "in", bytes); }
  void sent(std::uint16_t type, std::size_t bytes) { count(sent_, type, "out", bytes); }

 private:
  using Counters = std::map<std::uint16_t, stats::Counter*>;
  void count(Counters& counters, std::uint16_t type, const char* way, std::size_t bytes);

  stats::Registry& registry_;
  const NameOf name_of_;
  Counters received_;
  Counters sent_;
};

}  // namespace krg::control
