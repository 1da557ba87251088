// rpc_messages.h: what carries an archive from node to node.
#pragma once

#include <cstdint>

#include "krg/base/ids.h"
#include "krg/wire/service.h"

namespace krg::ghost {

// A piece of the archive is the bulk data beside it. Answered when there is room for more.
struct Piece {
  std::uint64_t ticket = 0;
  std::uint64_t ordinal = 0;
  std::uint32_t patience_ms = 0;
  bool last = false;
  static void wire_fields(auto& m, auto&& visit) {
    visit(m.ticket, m.ordinal, m.patience_ms, m.last);
  }
};
struct Carry {
  static constexpr ServiceId kId{0xa0};
  static constexpr const char* kName = "ghost.carry";
  using Request = Piece;
  using Reply = wire::Empty;
};

// The sender has given up. Not answered.
struct GivenUp {
  std::uint64_t ticket = 0;
  static void wire_fields(auto& m, auto&& visit) { visit(m.ticket); }
};
struct GiveUp {
  static constexpr ServiceId kId{0xa1};
  static constexpr const char* kName = "ghost.give_up";
  using Request = GivenUp;
  using Reply = wire::Empty;
};

}  // namespace krg::ghost
