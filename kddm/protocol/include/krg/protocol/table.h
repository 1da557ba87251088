// protocol/table.h: the protocol on one page: which rule a node applies to an input in a state.
//
// Model    four tables of rules, as data. The home's, by its state; the holder's for what others
//          send, by its copy (commands) or by what it asks for (replies); the holder's for its own
//          node's ops, by its copy. Every pair is there; Rule::impossible is an error with a
//          report.
// Threads  immutable.
// Blocks   never.
// Source   docs/design/kddm.md, which shows these tables; a test compares
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "krg/protocol/part.h"

namespace krg::kddm {

enum class Rule : std::uint8_t {
  impossible,
#define KRG_KDDM_RULE(name, text) name,
#include "krg/protocol/rules.def"
#undef KRG_KDDM_RULE
};
std::string_view name_of(Rule rule) noexcept;
std::string_view text_of(Rule rule) noexcept;

// Which table an input is looked up in.
enum class Role : std::uint8_t { home, command, reply, op };
Role role_of(Kind kind) noexcept;
// The rule for an input to this part. Requires  `kind` in range.
Rule rule_for(const Part& part, Kind kind) noexcept;

// Of the four tables, for printing: states by row, inputs by column.
struct TableView {
  std::string_view title;
  std::string_view rows_are;
  std::array<std::string_view, 8> rows;  // Empty ones at the end do not exist.
  std::array<Kind, 9> columns;
  unsigned row_count;
  unsigned column_count;
  Rule (*at)(unsigned row, unsigned column);
};
std::array<TableView, 4> tables() noexcept;

}  // namespace krg::kddm
