// baseline/page_rounds.h: how the benches of page faults touch pages, the same for all contestants.
//
// Model    rounds: what is to be measured is brought about, then pages are touched one by one in no
//          order, or all memory is read from its beginning to its end; only the touching is timed.
// Threads  the task whose faults they are.
// Blocks   for as long as the job says.
// Source   bench/baseline/README.md
#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <random>

#include "krg/harness/contestant.h"
#include "krg/reactor/clock.h"

namespace krg::baseline {

inline constexpr std::size_t kPageBytes = 4096;
inline constexpr std::size_t kMemoryPages = 16384;
inline constexpr std::size_t kRoundPages = 256;  // Whose times are taken in a round.

// What a job's `detail` means.
enum class PageRow : std::uint64_t {
  read_miss,
  write_miss,
  stream,  // All memory, read from its beginning to its end.
  read_here,
  write_upgrade,
  stream_here,
};

// Whether the pages come from the other side, or are here and not mapped.
inline bool is_miss(const harness::Job& job) noexcept {
  return static_cast<PageRow>(job.detail) <= PageRow::stream;
}

// `prepare`: before a round. `page(i)`: where the i-th page is, after that.
template <class Prepare, class PageOf>
Result<harness::Sample> time_faults(const harness::Job& job, Prepare prepare, PageOf page) {
  const auto row = static_cast<PageRow>(job.detail);
  const bool writes = row == PageRow::write_miss || row == PageRow::write_upgrade;
  harness::Latencies latencies;
  std::array<std::size_t, kRoundPages> order;
  std::iota(order.begin(), order.end(), 0);
  std::mt19937 random(1);
  const double us = 1e-3 / reactor::ticks_per_ns();
  const auto end = std::chrono::steady_clock::now() + job.length;
  while (std::chrono::steady_clock::now() < end) {
    KRG_TRY(prepare());
    std::shuffle(order.begin(), order.end(), random);
    for (const std::size_t i : order) {
      volatile std::byte* const at = page(i);
      if (row == PageRow::write_upgrade) static_cast<void>(*at);  // Mapped to be read.
      const std::uint64_t from = reactor::ticks();
      if (writes) {
        *at = std::byte{2};
      } else {
        static_cast<void>(*at);
      }
      latencies.add(static_cast<double>(reactor::ticks() - from) * us);
    }
  }
  return latencies.summary();
}

// `memory()`: kMemoryPages pages, after `prepare`.
// Cost  longer than the job says: all of the memory is read once at least.
template <class Prepare, class MemoryOf>
Result<harness::Sample> time_stream(const harness::Job& job, Prepare prepare, MemoryOf memory) {
  constexpr std::size_t kBytes = kPageBytes * kMemoryPages;
  std::uint64_t bytes = 0;
  std::chrono::duration<double> took{0};
  const auto begin = std::chrono::steady_clock::now();
  while (std::chrono::steady_clock::now() - begin < job.length) {
    KRG_TRY(prepare());
    const auto from = std::chrono::steady_clock::now();
    const auto* const words = reinterpret_cast<const volatile std::uint64_t*>(memory());
    for (std::size_t i = 0; i < kBytes / sizeof *words; ++i) static_cast<void>(words[i]);
    took += std::chrono::steady_clock::now() - from;
    bytes += kBytes;
  }
  return harness::Sample{static_cast<double>(bytes) / took.count() * 1e-6, 0};
}

}  // namespace krg::baseline
