// stats/snapshot.h: every number at one moment, to send, to add up over nodes, to show.
//
// Model    a value and a wire message. merge() adds counters, gauges and distributions of the same
//          name.
// Threads  a value.
// Blocks   never.
// Source   docs/design/layers.md, "Statistics"
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "krg/stats/histogram.h"
#include "krg/wire/codec.h"

namespace krg::stats {

enum class Kind : std::uint8_t { counter, gauge, histogram };

struct Item {
  std::string name;
  std::string unit;
  Kind kind = Kind::counter;
  std::int64_t value = 0;     // Of a counter or gauge.
  Distribution distribution;  // Of a histogram.

  bool operator==(const Item&) const = default;
  static void wire_fields(auto& m, auto&& visit) {
    visit(m.name, m.unit, m.kind, m.value, m.distribution);
  }
};

struct Snapshot {
  std::vector<Item> items;  // By name.

  bool operator==(const Snapshot&) const = default;
  static void wire_fields(auto& m, auto&& visit) { visit(m.items); }

  // nullptr: no such item.
  const Item* find(std::string_view name) const noexcept;
  void merge(const Snapshot& other);
};

// [{"name","kind","unit","value"} or {..., "count","mean","p50","p90","p99","max"}]
std::string json(const Snapshot& snapshot);
// A table for people: one line per item.
std::string text_table(const Snapshot& snapshot);

}  // namespace krg::stats
