#include "krg/config/render.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace krg::config {
namespace {

std::string padded(std::string s, std::size_t width) {
  if (s.size() < width) s.append(width - s.size(), ' ');
  return s;
}

// scdoc takes *, _ and some others for markup: words of ours are quoted with a backslash.
std::string escaped(std::string_view s) {
  std::string out;
  for (const char c : s) {
    if (c == '*' || c == '_' || c == '\\' || c == '[' || c == '#') out += '\\';
    out += c;
  }
  return out;
}

}  // namespace

std::string text_table(const Config& config) {
  std::vector<std::array<std::string, 4>> rows = {{"VARIABLE", "VALUE", "ORIGIN", "MEANING"}};
  for (const Setting& s : config.settings()) {
    rows.push_back({s.entry->variable, format(*s.entry, s.value), s.origin, s.entry->sentence});
    if (rows.back()[1].empty()) rows.back()[1] = "-";
  }
  std::array<std::size_t, 3> widths{};
  for (const auto& row : rows) {
    for (std::size_t i = 0; i < widths.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::string out;
  for (const auto& row : rows) {
    for (std::size_t i = 0; i < widths.size(); ++i) out += padded(row[i], widths[i] + 2);
    out += row[3] + "\n";
  }
  return out;
}

std::string json(const Config& config) {
  nlohmann::ordered_json settings = nlohmann::ordered_json::array();
  for (const Setting& s : config.settings()) {
    const Entry& e = *s.entry;
    settings.push_back({{"variable", e.variable},
                        {"key", e.key()},
                        {"type", name_of(e.kind)},
                        {"value", format(e, s.value)},
                        {"default", e.fallback},
                        {"unit", e.unit},
                        {"level", name_of(s.level)},
                        {"origin", s.origin},
                        {"meaning", e.sentence}});
  }
  nlohmann::ordered_json out = {{"settings", std::move(settings)}};
  // Bytes that are not UTF-8 (a path may hold any) are replaced, never thrown about.
  return out.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

std::string manual(const std::vector<const TableBase*>& tables) {
  std::string out;
  for (const TableBase* table : tables) {
    out += "## " + table->module() + "\n\n";
    for (const Entry& entry : table->entries()) {
      out += "*" + escaped(entry.variable) + "*\n";
      out += "\t" + escaped(entry.sentence) + "\n";
      out += "\tWants " + escaped(wanted(entry));
      if (!entry.unit.empty()) out += "; a bare number is in " + escaped(entry.unit);
      out +=
          ". Default: " + (entry.fallback.empty() ? std::string("none") : escaped(entry.fallback)) +
          ". In krg.toml: " + escaped(entry.key()) + ".\n\n";
    }
  }
  return out;
}

std::string manual(std::span<const Given> given) {
  std::string out;
  for (const Given& one : given) {
    out += "*" + escaped(one.variable) + "*\n\t" + escaped(one.meaning) + "\n\n";
  }
  return out;
}

}  // namespace krg::config
