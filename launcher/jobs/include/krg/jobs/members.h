// jobs/members.h: what krgadm says to a krgd about the nodes of its cluster, and back.
//
// Model    frames of a control connection, beside those of client.h. AskEvents is answered by
//          NodeChanged for as long as the connection is open: first one for each node that is
//          known, then one for each change. AddNodes and RemoveNode are answered once, when all is
//          done or nothing more will be.
// Threads  immutable.
// Blocks   never.
// Source   docs/design/hotplug.md, "At the command line"
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "krg/base/ids.h"
#include "krg/boot/protocol.h"
#include "krg/cluster/view.h"

namespace krg::jobs {

// To krgd.
struct AskEvents {
  static constexpr std::uint16_t kFrame = 24;
  static void wire_fields(auto&, auto&& visit) { visit(); }
};
struct AddNodes {
  static constexpr std::uint16_t kFrame = 25;
  std::vector<std::string> hosts;
  static void wire_fields(auto& m, auto&& visit) { visit(m.hosts); }
};
struct RemoveNode {
  static constexpr std::uint16_t kFrame = 26;
  NodeId node;
  std::uint32_t patience_ms = 0;
  static void wire_fields(auto& m, auto&& visit) { visit(m.node, m.patience_ms); }
};

// From krgd.
struct NodeChanged {
  static constexpr std::uint16_t kFrame = 42;
  bool news = true;  // False: so it was when you asked.
  Epoch epoch;
  NodeId node;
  Incarnation incarnation;
  std::string host;
  cluster::NodeState state{};
  cluster::Failure why{};
  std::uint64_t unix_us = 0;  // When the krgd that is asked learned of it; 0: it was so before.
  static void wire_fields(auto& m, auto&& visit) {
    visit(m.news, m.epoch, m.node, m.incarnation, m.host, m.state, m.why, m.unix_us);
  }
};
// After the last one that is no news.
struct AllTold {
  static constexpr std::uint16_t kFrame = 43;
  static void wire_fields(auto&, auto&& visit) { visit(); }
};
struct NodesAdded {
  static constexpr std::uint16_t kFrame = 44;
  struct One {
    std::string host;
    NodeId node;
    std::string why;  // It was not added; "" = it was.
    // Of a standing cluster: whoever asks is to start it so, for it must outlive this krgd.
    std::vector<boot::Init> plan = {};  // At most one.
    bool already = false;               // The host's node was online before; none was started.
    static void wire_fields(auto& m, auto&& visit) {
      visit(m.host, m.node, m.why, m.plan, m.already);
    }
  };
  std::vector<One> nodes;
  static void wire_fields(auto& m, auto&& visit) { visit(m.nodes); }
};
struct NodeRemoved {
  static constexpr std::uint16_t kFrame = 45;
  std::string why;  // It was not; "" = it was.
  static void wire_fields(auto& m, auto&& visit) { visit(m.why); }
};

}  // namespace krg::jobs
