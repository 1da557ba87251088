// Tasks on several nodes map one region and use it with plain loads and stores. Each kind of test
// ends with "right" from every rank.
#include <cstring>
#include <string>

#include "region_task.h"

namespace {

using Clock = std::chrono::steady_clock;

int fail(const char* what, std::uint64_t found, std::uint64_t wanted) {
  std::printf("rank %u: %s: %llu, not %llu\n", rank_of_this(), what,
              static_cast<unsigned long long>(found), static_cast<unsigned long long>(wanted));
  return 1;
}

double us_since(Clock::time_point begin) {
  return std::chrono::duration<double, std::micro>(Clock::now() - begin).count();
}

// Each rank writes a page of its own, all read all.
int exchange(const krg::Region& region) {
  Meeting all(region, 0);
  for (std::uint64_t round = 1; round <= 20; ++round) {
    for (std::size_t k = 0; k < 512; ++k) {
      word(region, 1 + rank_of_this(), k).store(round * 1000 + k, std::memory_order_relaxed);
    }
    all.meet();
    for (unsigned rank = 0; rank < ranks(); ++rank) {
      for (std::size_t k = 0; k < 512; ++k) {
        const std::uint64_t found = word(region, 1 + rank, k).load(std::memory_order_relaxed);
        if (found != round * 1000 + k) return fail("a word", found, round * 1000 + k);
      }
    }
    all.meet();
  }
  return 0;
}

// One word goes round all ranks.
int hand_over(const krg::Region& region) {
  constexpr std::uint64_t kTimes = 1000;
  Meeting all(region, 0);
  all.meet();
  const auto begin = Clock::now();
  for (std::uint64_t i = rank_of_this(); i < kTimes; i += ranks()) {
    wait_until([&] { return word(region, 1).load() >= i; });
    if (word(region, 1).load() != i) return fail("the word", word(region, 1).load(), i);
    word(region, 1).store(i + 1);
  }
  all.meet();
  if (rank_of_this() == 0) {
    std::printf("hand over: %.1f us each\n", us_since(begin) / static_cast<double>(kTimes));
  }
  return word(region, 1).load() == kTimes ? 0 : fail("the end", word(region, 1).load(), kTimes);
}

// All ranks count with one word.
int count(const krg::Region& region) {
  constexpr std::uint64_t kTimes = 20000;
  Meeting all(region, 0);
  for (std::uint64_t i = 0; i < kTimes; ++i) word(region, 1, i % 512).fetch_add(1);
  all.meet();
  std::uint64_t sum = 0;
  for (std::size_t k = 0; k < 512; ++k) sum += word(region, 1, k).load();
  return sum == kTimes * ranks() ? 0 : fail("the sum", sum, kTimes * ranks());
}

// Rank 0 writes all, the others read all.
int stream(const krg::Region& region) {
  Meeting all(region, 0);
  const std::size_t pages = region.size() / 4096;
  if (rank_of_this() == 0) {
    const auto begin = Clock::now();
    for (std::size_t page = 1; page < pages; ++page) {
      for (std::size_t k = 0; k < 512; ++k) {
        word(region, page, k).store(page * 512 + k, std::memory_order_relaxed);
      }
    }
    std::printf("written: %.2f us a page\n", us_since(begin) / static_cast<double>(pages));
  }
  all.meet();
  const auto begin = Clock::now();
  for (std::size_t page = 1; page < pages; ++page) {
    for (std::size_t k = 0; k < 512; ++k) {
      const std::uint64_t found = word(region, page, k).load(std::memory_order_relaxed);
      if (found != page * 512 + k) return fail("a word", found, page * 512 + k);
    }
  }
  const double each = us_since(begin) / static_cast<double>(pages);
  std::printf("rank %u has read: %.2f us a page, %.0f MiB/s\n", rank_of_this(), each,
              4096 / each * 1e6 / (1 << 20));
  all.meet();
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string kind = argc > 1 ? argv[1] : "exchange";
  const std::size_t mib = argc > 2 ? static_cast<std::size_t>(std::atoi(argv[2])) : 1;
  const krg::Region region = must(krg::Region::open("test." + kind, mib << 20), "the region");
  int wrong = 1;
  if (kind == "exchange") wrong = exchange(region);
  if (kind == "hand_over") wrong = hand_over(region);
  if (kind == "count") wrong = count(region);
  if (kind == "stream") wrong = stream(region);
  if (wrong == 0) std::printf("right\n");
  std::fflush(stdout);
  return wrong;
}
