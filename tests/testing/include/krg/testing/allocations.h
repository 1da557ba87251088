// testing/allocations.h: how often this program's C++ code has allocated.
//
// Model    counts calls of the global operator new, which the test library replaces. What C
// libraries take
//          by malloc is not counted.
// Threads  safe; counts all threads.
// Blocks   never.
// Source   ISO C++20, 17.6.3 (replaceable allocation functions)
#pragma once

#include <cstdint>

namespace krg::testing {

std::uint64_t allocations() noexcept;

}  // namespace krg::testing
