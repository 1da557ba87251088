// config/entry.h: one thing that can be configured, and how its text is understood.
//
// Model    an Entry describes; parse() turns what a user wrote into a Value that keeps the entry's
// rules.
//          Durations are "250ms" or "1.5s" (ns us ms s min h), sizes "64KiB" (B KiB MiB GiB TiB,
//          and kB MB GB TB of 1000); a bare number takes the entry's unit. Booleans are yes/no,
//          true/false, on/off, 1/0.
// Threads  immutable.
// Blocks   never.
// Source   docs/man/krg-environment.7
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace krg::config {

enum class Kind : std::uint8_t { boolean, integer, duration, size, choice, text, path };

// A number of bytes. As a type of its own a field can not be mistaken for a count.
struct Size {
  std::uint64_t bytes = 0;
  constexpr auto operator<=>(const Size&) const = default;
};

// The name of a file or directory; a leading "~/" has been replaced by the home directory.
struct Path {
  std::string name;
  auto operator<=>(const Path&) const = default;
};

// A parsed value: integers, durations (ns), sizes (bytes) and choices (index) are the integer.
using Value = std::variant<bool, std::int64_t, std::string>;

struct Entry {
  std::string module;    // "transport"
  std::string name;      // "reach"
  std::string variable;  // "KRG_TRANSPORT_REACH"
  Kind kind = Kind::text;
  std::string fallback;  // The default, as a user would write it.
  std::string unit;      // What a bare number means: "ms", "KiB"; for integers only shown.
  std::string sentence;  // What it is for, one sentence.
  std::int64_t min = 0;  // Of integer, duration and size.
  std::int64_t max = 0;
  std::vector<std::string> choices;

  // "transport.reach", its name in files and on the command line.
  std::string key() const { return module + "." + name; }
};

// "a duration from 1ms to 1h, such as 5s"; for error messages and manuals.
std::string wanted(const Entry& entry);
// Nothing if `written` is not what wanted() says.
std::optional<Value> parse(const Entry& entry, std::string_view written);
// The value as a user would write it: "250ms", "64KiB", "yes".
std::string format(const Entry& entry, const Value& value);

// "boolean", "integer", ...
std::string_view name_of(Kind kind) noexcept;

}  // namespace krg::config
