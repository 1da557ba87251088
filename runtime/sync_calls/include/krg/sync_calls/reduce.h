// sync_calls/reduce.h: small values that become one, of all who meet.
//
// Model    up to 8 words, each of them combined by itself. A word holds a std::int64_t or the bits
//          of a double.
// Threads  values.
// Blocks   never.
// Source   MPI_Allreduce(3); docs/design/sync.md, "Barriers"
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace krg::sync {

enum class Reduce : std::uint8_t { none, sum, least, most, sum_real, least_real, most_real };

inline constexpr std::size_t kReduceWords = 8;

constexpr bool is_sound(Reduce reduce) noexcept { return reduce <= Reduce::most_real; }

// Integers wrap around.
constexpr std::uint64_t combine(Reduce reduce, std::uint64_t a, std::uint64_t b) noexcept {
  const auto whole = [](std::uint64_t v) { return std::bit_cast<std::int64_t>(v); };
  const auto real = [](std::uint64_t v) { return std::bit_cast<double>(v); };
  switch (reduce) {
    case Reduce::sum:
      return a + b;
    case Reduce::least:
      return whole(b) < whole(a) ? b : a;
    case Reduce::most:
      return whole(a) < whole(b) ? b : a;
    case Reduce::sum_real:
      return std::bit_cast<std::uint64_t>(real(a) + real(b));
    case Reduce::least_real:
      return real(b) < real(a) ? b : a;
    case Reduce::most_real:
      return real(a) < real(b) ? b : a;
    case Reduce::none:
      break;
  }
  return a;
}

// What has more words keeps them: so nothing, combined with something, is that.
inline void combine_into(Reduce reduce, std::vector<std::uint64_t>& sum,
                         const std::vector<std::uint64_t>& more) {
  const std::size_t both = std::min(sum.size(), more.size());
  for (std::size_t i = 0; i < both; ++i) sum[i] = combine(reduce, sum[i], more[i]);
  if (more.size() > both)
    sum.insert(sum.end(), more.begin() + static_cast<std::ptrdiff_t>(both), more.end());
}

}  // namespace krg::sync
