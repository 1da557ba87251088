// base/edit_distance.h: how many slips of the finger lie between two words.
//
// Model    the fewest insertions, deletions and substitutions of one character (Levenshtein).
// Threads  safe.
// Blocks   never. Cost: the product of the lengths.
// Source   Wagner and Fischer, "The string-to-string correction problem", JACM 1974
#pragma once

#include <cstddef>
#include <string_view>

namespace krg {

std::size_t edit_distance(std::string_view a, std::string_view b);

}  // namespace krg
