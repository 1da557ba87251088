#include "krg/epm/proc_text.h"

#include <sys/mman.h>

#include <charconv>

namespace krg::epm {
namespace {

constexpr std::size_t kStatFields = 49;  // From field 3 to field 51.

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

// Takes the next word off `text`.
std::string_view word(std::string_view& text) {
  text = trim(text);
  const std::string_view first = text.substr(0, text.find_first_of(" \t"));
  text.remove_prefix(first.size());
  return first;
}

std::optional<std::uint64_t> number(std::string_view text, int base) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// Takes the next line off `text`.
std::string_view line(std::string_view& text) {
  const std::size_t end = text.find('\n');
  const std::string_view first = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  return first;
}

}  // namespace

std::optional<MapLine> parse_map_line(std::string_view text) {
  const std::string_view range = word(text);
  const std::size_t dash = range.find('-');
  if (dash == std::string_view::npos) return std::nullopt;
  const auto begin = number(range.substr(0, dash), 16);
  const auto end = number(range.substr(dash + 1), 16);
  const std::string_view rights = word(text);
  const auto offset = number(word(text), 16);
  const std::string_view device = word(text);
  const auto inode = number(word(text), 10);
  if (!begin || !end || *begin >= *end || rights.size() != 4 || !offset || device.empty() ||
      !inode) {
    return std::nullopt;
  }
  MapLine map{*begin, *end, *offset, *inode, 0, rights[3] == 's', std::string(trim(text))};
  if (rights[0] == 'r') map.protection |= PROT_READ;
  if (rights[1] == 'w') map.protection |= PROT_WRITE;
  if (rights[2] == 'x') map.protection |= PROT_EXEC;
  return map;
}

std::vector<MapLine> parse_maps(std::string_view text) {
  std::vector<MapLine> maps;
  while (!text.empty()) {
    auto map = parse_map_line(line(text));
    if (!map) return {};
    maps.push_back(std::move(*map));
  }
  return maps;
}

std::string_view field(std::string_view text, std::string_view name) {
  while (!text.empty()) {
    const std::string_view one = line(text);
    if (one.size() > name.size() && one.substr(0, name.size()) == name && one[name.size()] == ':') {
      return trim(one.substr(name.size() + 1));
    }
  }
  return {};
}

std::vector<std::uint64_t> numbers(std::string_view text, int base) {
  std::vector<std::uint64_t> all;
  while (const auto value = number(word(text), base)) all.push_back(*value);
  return all;
}

std::vector<std::uint64_t> parse_stat(std::string_view text) {
  const std::size_t name_end = text.rfind(')');
  if (name_end == std::string_view::npos) return {};
  text.remove_prefix(name_end + 1);
  text = text.substr(0, text.find('\n'));
  const std::string_view state = word(text);
  if (state.size() != 1) return {};
  std::vector<std::uint64_t> all{static_cast<std::uint64_t>(static_cast<unsigned char>(state[0]))};
  while (true) {
    std::string_view one = word(text);
    const bool negative = !one.empty() && one.front() == '-';
    if (negative) one.remove_prefix(1);
    const auto value = number(one, 10);
    if (!value) break;
    all.push_back(negative ? 0 - *value : *value);
  }
  return all.size() < kStatFields ? std::vector<std::uint64_t>() : all;
}

std::optional<FdInfo> parse_fdinfo(std::string_view text) {
  const auto position = number(field(text, "pos"), 10);
  const auto flags = number(field(text, "flags"), 8);
  if (!position || !flags || *flags > ~std::uint32_t{0}) return std::nullopt;
  FdInfo info{*position, static_cast<std::uint32_t>(*flags), std::nullopt, false};
  if (const auto count = field(text, "eventfd-count"); !count.empty()) {
    info.event_count = number(count, 16);
  }
  info.locked = !field(text, "lock").empty();
  return info;
}

}  // namespace krg::epm
