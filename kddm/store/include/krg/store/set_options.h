// store/set_options.h: what a set is, as its creator says and every node knows.
//
// Model    a value, checked once, the same on every node and for the set's life.
// Threads  immutable.
// Blocks   never.
// Source   Kerrighed kddm (set flags, default owners); docs/design/kddm.md
#pragma once

#include <cstdint>
#include <string>

#include "krg/cluster/node_set.h"
#include "krg/error/result.h"
#include "krg/store/ids.h"

namespace krg::kddm {

// Who is an object's home while no view forbids it.
enum class HomePolicy : std::uint8_t {
  hash,         // Rendezvous hash: even, and 1/n of the objects move when a node comes or goes.
  fixed,        // SetOptions::home.
  round_robin,  // Object i at the (i mod n)-th of SetOptions::nodes.
  linker,       // Linker::preferred_home().
};

enum class SetFlag : std::uint32_t {
  // 1 was never given a meaning, and is refused.
  touch_at_home = 2,  // The first touch runs at the home: for what lies in a file or on a device.
  locks = 4,  // Who holds and who waits for its objects is told to tools: krg/access/access.h.
};

struct SetOptions {
  static constexpr std::uint64_t kObjectBytesMax = std::uint64_t{1} << 30;
  static constexpr std::uint8_t kCopiesMax = 8;
  static constexpr std::size_t kLinkerNameMax = 64;
  static constexpr std::size_t kLinkerDataMax = 4095;

  std::uint64_t object_bytes = 0;  // Of each object; the most for variable sizes. 0: a lock.
  std::uint64_t object_count = ~std::uint64_t{0};  // Ids are below this.
  bool variable_size = false;
  std::uint8_t copies = 1;  // Nodes that an acknowledged write is on.
  std::uint32_t flags = 0;  // Of SetFlag.
  HomePolicy policy = HomePolicy::hash;
  NodeId home = kNoNode;                       // HomePolicy::fixed
  NameSpaceId name_space = kDefaultNameSpace;  // It ends with that.
  cluster::NodeSet nodes;                      // HomePolicy::round_robin
  std::string linker = "memory";
  std::string linker_data;  // What it needs to know of the set: for "file", the path.

  bool has(SetFlag flag) const noexcept { return (flags & static_cast<std::uint32_t>(flag)) != 0; }
  bool operator==(const SetOptions&) const = default;
  static void wire_fields(auto& m, auto&& visit) {
    visit(m.object_bytes, m.object_count, m.variable_size, m.copies, m.flags, m.policy, m.home,
          m.nodes, m.linker, m.linker_data, m.name_space);
  }
};

// Whether a set can be made so; for options from a user or the wire.
// Errors  invalid_argument  the text says which.
Status check(const SetOptions& options) noexcept;

}  // namespace krg::kddm
