// cli/exit.h: how the commands of krg end.
//
// Model    0 done; 1 tried and failed; 2 nothing was started, because of what was typed or given.
//          krgrun also returns the code of the first rank that failed. A refusal is one line on
//          stderr: "krgrun: what is wrong: what to do".
// Threads  safe.
// Blocks   as write(2) to stdout or stderr does.
// Source   docs/design/placement.md, "Command line"
#pragma once

#include <string_view>

namespace krg::cli {

inline constexpr int kDone = 0;
inline constexpr int kFailed = 1;
inline constexpr int kUsage = 2;

// Prints "program: complaint" and returns kUsage.
int refuse(std::string_view program, std::string_view complaint);
// Prints `text` and returns kDone; or, if stdout does not take it, says why not and returns
// kFailed.
int print(std::string_view text);

}  // namespace krg::cli
