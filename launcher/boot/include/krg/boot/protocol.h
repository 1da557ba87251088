// boot/protocol.h: what a starting krgd and whoever starts it say to each other.
//
// Model    down: Init, then ViewMade, at the end Shutdown. Up: Hello or Failed of every node below,
//          then Ready of every node. The cluster's key travels in Init, over the started program's
//          standard input: never on a command line and never in an environment. Frame numbers below
//          kFirstClientFrame are these; the channel of node 0 carries a client's frames beside
//          them.
// Threads  immutable.
// Blocks   never.
// Source   docs/design/launch.md, "Starting krgd"
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "krg/cluster/view.h"
#include "krg/fabric/fabric.h"
#include "krg/wire/codec.h"

namespace krg::boot {

inline constexpr std::uint16_t kFirstClientFrame = 16;

// The version that both ends must share.
std::string version();

struct Init {
  static constexpr std::uint16_t kFrame = 1;
  std::string version;
  std::string cluster;
  fabric::Key key{};
  std::uint32_t incarnation = 0;
  std::uint32_t nodes = 0;  // In the whole cluster.
  std::uint32_t first = 0;  // The receiver's node id.
  std::vector<std::string>
      hosts;              // Of nodes first, first + 1, ...: the receiver and those it is to start.
  bool embedded = false;  // All on this machine, by fork.
  bool alone = false;     // No two nodes are on one machine, as far as their names tell.
  bool standing = false;  // Outlives the channel.
  bool want_topology = false;
  std::string agent;                  // The launch agent; "" = ssh.
  std::string program;                // Absolute path of krgd.
  std::vector<std::string> settings;  // NAME=value of KRG_* variables.
  // Whether to start process management before the first job asks: it takes a while.
  enum class Pmi : std::uint8_t { later, pmi1, pmix };
  Pmi pmi = Pmi::later;
  bool finalize_breaker = true;
  std::uint32_t ranks = 0;  // Of the largest job to come; 0 = not known.
  // Members of a cluster that runs already: the receiver asks them to be let in, and no view comes.
  std::vector<cluster::Member> contacts;

  static void wire_fields(auto& m, auto&& visit) {
    visit(m.version, m.cluster, m.key, m.incarnation, m.nodes, m.first, m.hosts, m.embedded,
          m.alone, m.standing, m.want_topology, m.agent, m.program, m.settings, m.pmi,
          m.finalize_breaker, m.ranks, m.contacts);
  }
};

struct Hello {
  static constexpr std::uint16_t kFrame = 2;
  cluster::Member member;
  std::uint32_t pid = 0;
  std::string topology;  // hwloc XML, if asked for.
  static void wire_fields(auto& m, auto&& visit) { visit(m.member, m.pid, m.topology); }
};

// `node` can not take part.
struct Failed {
  static constexpr std::uint16_t kFrame = 3;
  std::uint32_t node = 0;
  std::string text;
  static void wire_fields(auto& m, auto&& visit) { visit(m.node, m.text); }
};

struct ViewMade {
  static constexpr std::uint16_t kFrame = 4;
  cluster::View view;
  std::string topology;  // hwloc XML of the machine that all nodes are in; "" = look yourself.
  static void wire_fields(auto& m, auto&& visit) { visit(m.view, m.topology); }
};

struct Ready {
  static constexpr std::uint16_t kFrame = 5;
  std::uint32_t node = 0;
  static void wire_fields(auto& m, auto&& visit) { visit(m.node); }
};

// Up: the node has left its cluster, as it was asked to, and its krgd ends: no loss.
struct Left {
  static constexpr std::uint16_t kFrame = 7;
  std::uint32_t node = 0;
  static void wire_fields(auto& m, auto&& visit) { visit(m.node); }
};

struct Shutdown {
  static constexpr std::uint16_t kFrame = 6;
  static void wire_fields(auto&, auto&& visit) { visit(); }
};

}  // namespace krg::boot
