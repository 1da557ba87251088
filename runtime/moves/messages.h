// messages.h: what krgds say to each other about moves.
#pragma once

#include <cstdint>
#include <vector>

#include "krg/moves/client.h"

namespace krg::moves {

struct Find {
  static constexpr ServiceId kId{0x90};
  static constexpr const char* kName = "moves.find";
  struct Request {
    std::int32_t pid = 0;
    static void wire_fields(auto& m, auto&& visit) { visit(m.pid); }
  };
  struct Reply {
    bool started_here = false;
    static void wire_fields(auto& m, auto&& visit) { visit(m.started_here); }
  };
};

// To the node that the task was started on.
struct Move {
  static constexpr ServiceId kId{0x91};
  static constexpr const char* kName = "moves.move";
  using Request = AskMove;
  using Reply = Moved;
};

// Bytes between two movers: to a new one (token 0) or to the one of that token.
struct Carry {
  static constexpr ServiceId kId{0x92};
  static constexpr const char* kName = "moves.carry";
  struct Part {
    std::vector<std::byte> bytes;
    static void wire_fields(auto& m, auto&& visit) { visit(m.bytes); }
  };
  struct Request {
    std::uint64_t token = 0;
    static void wire_fields(auto& m, auto&& visit) { visit(m.token); }
  };
  using Reply = wire::Empty;
  using Up = Part;
  using Down = Part;
};

}  // namespace krg::moves
