// cli/table.h: what a command shows: aligned columns for people, JSON for scripts.
//
// Model    one table of typed cells, rendered either way. Numbers stand right, everything else
//          left; a cell without a value is "-" in text and null in JSON.
// Threads  owned by one thread.
// Blocks   never.
// Source   docs/design/placement.md, "Command line"
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace krg::cli {

using Cell = std::variant<std::monostate, std::string, std::int64_t, double, bool>;

class Table {
 public:
  // A column's key in JSON is its title in lower case, blanks as '_'.
  explicit Table(std::vector<std::string> titles);

  // Requires  as many cells as titles.
  void add(std::vector<Cell> row);
  std::size_t rows() const noexcept { return rows_.size(); }

  std::string text() const;
  // One array of objects, on one line.
  std::string json() const;

 private:
  std::vector<std::string> titles_;
  std::vector<std::vector<Cell>> rows_;
};

}  // namespace krg::cli
