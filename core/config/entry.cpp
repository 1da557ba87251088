#include "krg/config/entry.h"

#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <span>

#include "krg/base/assert.h"

namespace krg::config {
namespace {

struct Unit {
  std::string_view name;
  std::int64_t factor;
};

// Largest last: format() takes the largest that divides.
constexpr std::array<Unit, 6> kTimes = {{{"ns", 1},
                                         {"us", 1'000},
                                         {"ms", 1'000'000},
                                         {"s", 1'000'000'000},
                                         {"min", 60'000'000'000},
                                         {"h", 3'600'000'000'000}}};
constexpr std::array<Unit, 9> kSizes = {{{"B", 1},
                                         {"KiB", 1ll << 10},
                                         {"MiB", 1ll << 20},
                                         {"GiB", 1ll << 30},
                                         {"TiB", 1ll << 40},
                                         {"kB", 1'000},
                                         {"MB", 1'000'000},
                                         {"GB", 1'000'000'000},
                                         {"TB", 1'000'000'000'000}}};
constexpr std::size_t kBinarySizes = 5;

std::optional<std::int64_t> factor_of(std::span<const Unit> units, std::string_view name) {
  for (const Unit& unit : units) {
    if (unit.name == name) return unit.factor;
  }
  return std::nullopt;
}

std::string_view trim(std::string_view s) {
  constexpr std::string_view kBlank = " \t\r\n";
  const std::size_t first = s.find_first_not_of(kBlank);
  if (first == std::string_view::npos) return {};
  return s.substr(first, s.find_last_not_of(kBlank) - first + 1);
}

std::optional<std::int64_t> parse_integer(std::string_view s) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(s.data(), s.data() + s.size(), value);
  if (error != std::errc{} || end != s.data() + s.size()) return std::nullopt;
  return value;
}

// A number, possibly with a fraction, and a unit; a bare number is in `unit`.
std::optional<std::int64_t> parse_quantity(std::span<const Unit> units, std::string_view s,
                                           std::string_view unit) {
  const std::size_t digits = s.find_first_not_of("0123456789.");
  const std::string_view number = s.substr(0, digits);
  if (number.empty()) return std::nullopt;
  if (digits != std::string_view::npos) unit = trim(s.substr(digits));
  std::optional<std::int64_t> factor = factor_of(units, unit);
  if (number == "0" && digits == std::string_view::npos) factor = 1;
  if (!factor) return std::nullopt;

  // Whole numbers stay exact; a fraction is rounded to the smallest unit.
  if (const auto whole = parse_integer(number)) {
    std::int64_t product = 0;
    if (__builtin_mul_overflow(*whole, *factor, &product)) return std::nullopt;
    return product;
  }
  double value = 0;
  const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), value);
  if (error != std::errc{} || end != number.data() + number.size()) return std::nullopt;
  const double scaled = std::round(value * static_cast<double>(*factor));
  if (!(scaled < 9.2e18)) return std::nullopt;
  return static_cast<std::int64_t>(scaled);
}

std::string format_quantity(std::span<const Unit> units, std::int64_t value) {
  std::size_t best = 0;
  for (std::size_t i = 1; value != 0 && i < units.size(); ++i) {
    if (value % units[i].factor == 0) best = i;
  }
  return std::to_string(value / units[best].factor) + std::string(units[best].name);
}

std::optional<bool> parse_boolean(std::string_view s) {
  for (const std::string_view yes : {"yes", "true", "on", "1"}) {
    if (s == yes) return true;
  }
  for (const std::string_view no : {"no", "false", "off", "0"}) {
    if (s == no) return false;
  }
  return std::nullopt;
}

std::optional<std::int64_t> parse_choice(const Entry& entry, std::string_view s) {
  for (std::size_t i = 0; i < entry.choices.size(); ++i) {
    if (entry.choices[i] == s) return static_cast<std::int64_t>(i);
  }
  return std::nullopt;
}

std::string range(const Entry& entry) {
  const Value min = entry.min;
  const Value max = entry.max;
  const bool no_max = entry.max == std::numeric_limits<std::int64_t>::max();
  const bool no_min = entry.min == std::numeric_limits<std::int64_t>::min();
  if (no_min && no_max) return "";
  if (no_max) return " of at least " + format(entry, min);
  return " from " + format(entry, min) + " to " + format(entry, max);
}

}  // namespace

std::string_view name_of(Kind kind) noexcept {
  constexpr std::array<std::string_view, 7> kNames = {"boolean", "integer", "duration", "size",
                                                      "choice",  "text",    "path"};
  return kNames[static_cast<std::size_t>(kind)];
}

std::string wanted(const Entry& entry) {
  switch (entry.kind) {
    case Kind::boolean:
      return "yes or no";
    case Kind::integer:
      return "an integer" + range(entry);
    case Kind::duration:
      return "a duration such as 250ms or 5s" + (range(entry).empty() ? "" : "," + range(entry));
    case Kind::size:
      return "a size such as 64KiB or 2MiB" + (range(entry).empty() ? "" : "," + range(entry));
    case Kind::choice: {
      std::string out = entry.choices.size() == 1 ? "" : "one of ";
      for (std::size_t i = 0; i < entry.choices.size(); ++i) {
        if (i != 0) out += i + 1 == entry.choices.size() ? " or " : ", ";
        out += entry.choices[i];
      }
      return out;
    }
    case Kind::text:
      return "text";
    case Kind::path:
      return "the name of a file or directory";
  }
  return "text";
}

std::optional<Value> parse(const Entry& entry, std::string_view written) {
  const std::string_view s = trim(written);
  std::optional<std::int64_t> number;
  switch (entry.kind) {
    case Kind::text:
    case Kind::path:
      return std::string(written);
    case Kind::boolean:
      if (const auto value = parse_boolean(s)) return *value;
      return std::nullopt;
    case Kind::choice:
      if (const auto index = parse_choice(entry, s)) return *index;
      return std::nullopt;
    case Kind::integer:
      number = parse_integer(s);
      break;
    case Kind::duration:
      number = parse_quantity(kTimes, s, entry.unit);
      break;
    case Kind::size:
      number = parse_quantity(kSizes, s, entry.unit);
      break;
  }
  if (!number || *number < entry.min || *number > entry.max) return std::nullopt;
  return *number;
}

std::string format(const Entry& entry, const Value& value) {
  switch (entry.kind) {
    case Kind::text:
    case Kind::path:
      return std::get<std::string>(value);
    case Kind::boolean:
      return std::get<bool>(value) ? "yes" : "no";
    case Kind::choice: {
      const auto index = static_cast<std::size_t>(std::get<std::int64_t>(value));
      KRG_ASSERT(index < entry.choices.size());
      return entry.choices[index];
    }
    case Kind::integer:
      return std::to_string(std::get<std::int64_t>(value));
    case Kind::duration:
      return format_quantity(kTimes, std::get<std::int64_t>(value));
    case Kind::size:
      return format_quantity(std::span(kSizes).first(kBinarySizes), std::get<std::int64_t>(value));
  }
  return "";
}

}  // namespace krg::config
