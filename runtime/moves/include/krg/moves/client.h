// moves/client.h: what krgmigrate says to a krgd over a control connection, and back.
//
// Model    one question, one answer; the numbers of the frames stand beside those of jobs/client.h.
// Threads  immutable.
// Blocks   never.
// Source   docs/design/epm.md, "At the command line"
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "krg/base/ids.h"
#include "krg/wire/codec.h"

namespace krg::moves {

struct AskMove {
  static constexpr std::uint16_t kFrame = 80;
  std::int32_t pid = 0;   // Where it was started; see `home`.
  NodeId home = kNoNode;  // kNoNode: the only node that has started a task of that pid.
  NodeId to;
  bool only_check = false;  // Only say what can not be moved; `to` does not count.
  bool eager = false;       // All memory before it runs again.
  static void wire_fields(auto& m, auto&& visit) {
    visit(m.pid, m.home, m.to, m.only_check, m.eager);
  }
};

struct Moved {
  static constexpr std::uint16_t kFrame = 81;
  std::string complaint;  // "" = done.
  std::vector<std::string> problems;
  NodeId node;  // Where it is now.
  std::uint32_t stopped_us = 0;
  static void wire_fields(auto& m, auto&& visit) {
    visit(m.complaint, m.problems, m.node, m.stopped_us);
  }
};

}  // namespace krg::moves
