// mm/report.h: what a node's regions have been through, for tools.
//
// Model    wire messages of krgd to krgd.
// Threads  immutable.
// Blocks   never.
// Source   docs/design/mm.md, "Counters"
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "krg/mm/traffic.h"
#include "krg/wire/codec.h"
#include "krg/wire/service.h"

namespace krg::mm {

struct RegionReport {
  std::string name;
  std::uint64_t bytes = 0;
  bool read_only = false;
  std::uint32_t tasks = 0;  // Of this node.
  std::uint64_t reads = 0;  // As in PageCount, of all pages.
  std::uint64_t writes = 0;
  std::uint64_t taken = 0;
  std::vector<PageCount> hot;
  static void wire_fields(auto& m, auto&& visit) {
    visit(m.name, m.bytes, m.read_only, m.tasks, m.reads, m.writes, m.taken, m.hot);
  }
};

struct Report {
  static constexpr ServiceId kId{0x6c};
  static constexpr const char* kName = "mm.report";
  static constexpr std::uint32_t kMost = 10'000;
  struct Request {
    std::uint32_t hot = 0;  // So many pages of each region, kMost at most.
    static void wire_fields(auto& m, auto&& visit) { visit(m.hot); }
  };
  struct Reply {
    std::vector<RegionReport> regions;
    // Of the node, with the objects that are no pages; in bytes and in copies.
    std::uint64_t budget = 0;
    std::uint64_t used = 0;
    std::uint64_t given_up = 0;  // Since others had them too.
    std::uint64_t moved = 0;     // To nodes that had room.
    static void wire_fields(auto& m, auto&& visit) {
      visit(m.regions, m.budget, m.used, m.given_up, m.moved);
    }
  };
};

}  // namespace krg::mm
