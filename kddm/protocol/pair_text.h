// "absent cannot take done", for every pair of a state and a message, made at compile time: an
// Error carries only text of static storage.
#pragma once

#include <array>
#include <cstddef>
#include <string_view>

namespace krg::kddm_protocol {

inline constexpr std::size_t kPairTextBytes = 64;
using PairText = std::array<char, kPairTextBytes>;

constexpr PairText pair_text(std::string_view state, std::string_view message) {
  PairText text{};
  std::size_t at = 0;
  for (std::string_view part : {state, std::string_view(" cannot take "), message})
    for (char c : part)
      if (at + 1 < text.size()) text[at++] = c;
  return text;
}

template <std::size_t States, std::size_t Messages>
constexpr auto pair_texts(const std::array<std::string_view, States>& states,
                          const std::array<std::string_view, Messages>& messages) {
  std::array<std::array<PairText, Messages>, States> table{};
  for (std::size_t s = 0; s < States; ++s)
    for (std::size_t m = 0; m < Messages; ++m) table[s][m] = pair_text(states[s], messages[m]);
  return table;
}

}  // namespace krg::kddm_protocol
