#include "krg/cli/table.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "krg/base/assert.h"

namespace krg::cli {
namespace {

bool is_number(const Cell& cell) {
  return std::holds_alternative<std::int64_t>(cell) || std::holds_alternative<double>(cell);
}

std::string text_of(const Cell& cell) {
  struct Writer {
    std::string operator()(std::monostate) const { return "-"; }
    std::string operator()(const std::string& s) const { return s; }
    std::string operator()(std::int64_t i) const { return std::to_string(i); }
    std::string operator()(double d) const { return fmt::format("{:.2f}", d); }
    std::string operator()(bool b) const { return b ? "yes" : "no"; }
  };
  return std::visit(Writer{}, cell);
}

nlohmann::ordered_json json_of(const Cell& cell) {
  struct Writer {
    nlohmann::ordered_json operator()(std::monostate) const { return nullptr; }
    nlohmann::ordered_json operator()(const std::string& s) const { return s; }
    nlohmann::ordered_json operator()(std::int64_t i) const { return i; }
    nlohmann::ordered_json operator()(double d) const { return d; }
    nlohmann::ordered_json operator()(bool b) const { return b; }
  };
  return std::visit(Writer{}, cell);
}

std::string key_of(const std::string& title) {
  std::string key = title;
  for (char& c : key) {
    if (c == ' ') c = '_';
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return key;
}

}  // namespace

Table::Table(std::vector<std::string> titles) : titles_(std::move(titles)) {}

void Table::add(std::vector<Cell> row) {
  KRG_ASSERT(row.size() == titles_.size());
  rows_.push_back(std::move(row));
}

std::string Table::text() const {
  std::vector<std::size_t> widths;
  std::vector<bool> right(titles_.size(), !rows_.empty());
  for (const std::string& title : titles_) widths.push_back(title.size());
  for (const auto& row : rows_) {
    for (std::size_t i = 0; i < row.size(); ++i) {
      widths[i] = std::max(widths[i], text_of(row[i]).size());
      if (!is_number(row[i]) && !std::holds_alternative<std::monostate>(row[i])) right[i] = false;
    }
  }
  std::string out;
  auto write = [&](std::size_t column, const std::string& text) {
    if (column > 0) out += "  ";
    const bool last = column + 1 == titles_.size();
    out += right[column] ? fmt::format("{:>{}}", text, widths[column])
           : last        ? text
                         : fmt::format("{:<{}}", text, widths[column]);
    if (last) out += '\n';
  };
  for (std::size_t i = 0; i < titles_.size(); ++i) write(i, titles_[i]);
  for (const auto& row : rows_) {
    for (std::size_t i = 0; i < row.size(); ++i) write(i, text_of(row[i]));
  }
  return out;
}

std::string Table::json() const {
  auto out = nlohmann::ordered_json::array();
  for (const auto& row : rows_) {
    nlohmann::ordered_json object = nlohmann::ordered_json::object();
    for (std::size_t i = 0; i < row.size(); ++i) object[key_of(titles_[i])] = json_of(row[i]);
    out.push_back(std::move(object));
  }
  // Names come from outside: bytes that are no UTF-8 are replaced, not thrown about.
  return out.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace krg::cli
