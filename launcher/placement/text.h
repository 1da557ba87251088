// placement/text.h: small readers that the policy, host and rank files share.
#pragma once

#include <charconv>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace krg::placement {

// A whole decimal number of at most `limit`.
inline std::optional<std::uint32_t> parse_number(std::string_view text,
                                                 std::uint32_t limit = 0xffffffffu) {
  std::uint32_t value = 0;
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (ec != std::errc() || end != text.data() + text.size() || value > limit) return std::nullopt;
  return value;
}

inline std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

// Splits at `separator`, but not inside brackets. Empty items stay.
inline std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> items;
  int depth = 0;
  std::size_t begin = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '[') ++depth;
    if (text[i] == ']') --depth;
    if (text[i] != separator || depth > 0) continue;
    items.push_back(text.substr(begin, i - begin));
    begin = i + 1;
  }
  items.push_back(text.substr(begin));
  return items;
}

// The words of a line, without blanks and without what follows '#'.
inline std::vector<std::string_view> words(std::string_view line) {
  constexpr std::string_view kBlank = " \t\r\n";
  line = line.substr(0, line.find('#'));
  std::vector<std::string_view> out;
  for (std::size_t at = line.find_first_not_of(kBlank); at != std::string_view::npos;
       at = line.find_first_not_of(kBlank, at)) {
    const std::size_t end = std::min(line.find_first_of(kBlank, at), line.size());
    out.push_back(line.substr(at, end - at));
    at = end;
  }
  return out;
}

}  // namespace krg::placement
