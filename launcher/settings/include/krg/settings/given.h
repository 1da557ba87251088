// settings/given.h: the variables that krg gives to every task.
//
// Model    one table: krgd fills them in, krg-environment(7) shows them, and nobody who finds them
//          in his own environment, as a krgrun inside a task does, takes them for slips.
// Threads  immutable.
// Blocks   never.
// Source   krg-environment(7)
#pragma once

#include <span>
#include <string_view>

#include "krg/config/config.h"

namespace krg::settings {

inline constexpr std::string_view kRank = "KRG_RANK";
inline constexpr std::string_view kSize = "KRG_SIZE";
inline constexpr std::string_view kLocalRank = "KRG_LOCAL_RANK";
inline constexpr std::string_view kNode = "KRG_NODE";
inline constexpr std::string_view kGate = "KRG_GATE";

std::span<const config::Given> given();
// Whether NAME=value, or NAME, is one of them.
bool is_given(std::string_view entry) noexcept;

}  // namespace krg::settings
