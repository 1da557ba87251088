// detector/evidence.h: what one node can say of another's life.
//
// Model    silent: nothing has come for the timeout; the node may be stopped, cut off or dead, and
//          may still serve until its lease ends. ended: its machine answered that no process holds
//          its port; that life can not serve any more. well: an earlier accusation is taken back.
// Threads  immutable.
// Blocks   never.
// Source   docs/design/hotplug.md, "Detection"
#pragma once

#include <cstdint>

#include "krg/base/ids.h"

namespace krg::detector {

enum class Evidence : std::uint8_t { well, silent, ended };

// One life of one node.
struct Peer {
  NodeId node;
  Incarnation incarnation;
  constexpr auto operator<=>(const Peer&) const = default;
  static void wire_fields(auto& m, auto&& visit) { visit(m.node, m.incarnation); }
};

}  // namespace krg::detector
