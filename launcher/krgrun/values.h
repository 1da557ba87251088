// krgrun/values.h: what the words of options mean.
//
// Model    pure; nothing if the word is not of its kind.
// Threads  safe.
// Blocks   never.
// Source   krgrun(1)
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>

namespace krg::krgrun {

// A whole decimal number.
std::optional<std::uint32_t> number(std::string_view text);
// "90", "90s", "1.5m", "2h", "500ms"; seconds without a unit.
std::optional<std::chrono::milliseconds> duration(std::string_view text);
// At most 63 letters, digits, '-', '_' or '.', and safe as the name of a file.
bool is_cluster_name(std::string_view name);

// Whether each '%' in the name of an output file has one of r, h, j, p and '%' after it.
bool is_pattern(std::string_view text);

}  // namespace krg::krgrun
