// mm_calls/carry.h: what a task asks of its krgd for memory that carries threads.
//
// Model    services of the gate, as krg/mm_calls/calls.h.
// Threads  values.
// Blocks   never.
// Source   docs/design/mm.md, "What carries threads"
#pragma once

#include <cstdint>
#include <string>

#include "krg/mm_calls/calls.h"

namespace krg::mm::calls {

// A region that was made hidden gets its name.
struct Show {
  static constexpr ServiceId kId{0x88};
  static constexpr const char* kName = "mm.show";
  struct Request {
    std::string name;
    static void wire_fields(auto& m, auto&& visit) { visit(m.name); }
  };
  using Reply = wire::Empty;
};

// Pages come to this node to be written, and stay, until Unpin, the end of the time, or that of the
// last task here that has attached the region.
struct Pin {
  static constexpr ServiceId kId{0x89};
  static constexpr const char* kName = "mm.pin";
  static constexpr std::uint64_t kMostPages = 1 << 16;  // Of a node.
  static constexpr std::uint32_t kMostMs = 600'000;
  struct Request {
    PageRange pages;
    std::uint32_t time_ms = 0;  // 0: no longer.
    static void wire_fields(auto& m, auto&& visit) { visit(m.pages, m.time_ms); }
  };
  using Reply = wire::Empty;
};

// A node gets pages before it asks for them.
struct Push {
  static constexpr ServiceId kId{0x8a};
  static constexpr const char* kName = "mm.push";
  struct Request {
    PageRange pages;
    NodeId node = kNoNode;
    bool write = false;
    static void wire_fields(auto& m, auto&& visit) { visit(m.pages, m.node, m.write); }
  };
  using Reply = wire::Empty;
};

}  // namespace krg::mm::calls
