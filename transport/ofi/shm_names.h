// Names in /dev/shm that tell whose they are, so that those of the killed can be removed.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "krg/error/result.h"

namespace krg::ofi {

inline constexpr std::string_view kShmPrefix = "krg-ofi-";

// "krg-ofi-<what>-<pid namespace>-<pid>-<random>".
Result<std::string> shm_name(std::string_view what);

// Removes what processes of this pid namespace that no longer live have left. Blocks for a listing
// of /dev/shm.
void remove_leftovers() noexcept;

// From the kernel's generator.
Result<std::uint64_t> random_number();

}  // namespace krg::ofi
