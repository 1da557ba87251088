// krg_release_latency: regions of release consistency beside sequential ones, as tasks of krgrun
// use them.
//
//     krgrun --nodes N -n N --map-by node krg_release_latency
//
// Each row is something that all ranks do between two barriers, or under a lock, on a region of
// either kind, in turn; and a barrier after one store to a region of 32 MiB and of 16 GiB, of which
// the same is in use. Microseconds an iteration at rank 0, medians.
#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include "krg/config/environment.h"
#include "krg/locks/barrier.h"
#include "krg/locks/mutex.h"
#include "krg/region/region.h"
#include "krg/task/space.h"

namespace {

using Clock = std::chrono::steady_clock;
using krg::Consistency;

constexpr std::size_t kPage = 4096, kWords = kPage / 8;
constexpr int kTimes = 7;        // Of each kind, in turn.
constexpr int kIterations = 60;  // Of each time.
constexpr std::size_t kMib = std::size_t{1} << 20;

template <class T>
T must(krg::Result<T> result, const char* what) {
  if (!result) {
    std::fprintf(stderr, "%s: %s\n", what, result.error().message().c_str());
    std::exit(1);
  }
  return std::move(*result);
}
void must(krg::Status status, const char* what) {
  must(status ? krg::Result<int>(0) : krg::Result<int>(status.error()), what);
}

struct Bench {
  unsigned rank;
  unsigned ranks;
  krg::Locks& locks;

  void meet() const {
    krg::Barrier all(locks, 0, ranks);
    must(all.arrive_and_wait(), "the barrier");
  }
  krg::Region region(const char* name, std::size_t bytes, Consistency consistency) const {
    krg::RegionShape shape;
    shape.consistency = consistency;
    const std::string full =
        std::string(name) + (consistency == Consistency::release ? ".release" : ".sequential");
    if (rank == 0) must(krg::Region::create(full, bytes, shape), "making a region");
    meet();
    return must(krg::Region::attach(full), "a region");
  }
};

volatile std::uint64_t& at(const krg::Region& region, std::size_t page, std::size_t word) {
  return reinterpret_cast<volatile std::uint64_t*>(region.data() + page * kPage)[word];
}

void look(const krg::Region& region, std::size_t page, std::size_t word) {
  const std::uint64_t found = at(region, page, word);
  static_cast<void>(found);
}

double us_each(const Bench& bench, auto&& iteration) {
  bench.meet();
  const auto start = Clock::now();
  for (int i = 0; i < kIterations; ++i) iteration(i);
  const std::chrono::duration<double, std::micro> took = Clock::now() - start;
  return took.count() / kIterations;
}

double median(std::vector<double>& values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

// `iteration(region, i)`: what a rank does, to its end.
void row(const Bench& bench, const char* name, auto&& iteration) {
  std::array<std::vector<double>, 2> times;
  for (int i = 0; i < kTimes; ++i) {
    for (const bool is_release : {false, true}) {
      // One region is there at a time: locks release what is attached.
      const std::string own = std::string(name) + "." + std::to_string(i);
      const krg::Region region = bench.region(
          own.c_str(), 2 * kMib, is_release ? Consistency::release : Consistency::sequential);
      iteration(region, 0);  // Pages are touched for the first time.
      times[is_release].push_back(us_each(bench, [&](int round) { iteration(region, round + 1); }));
      bench.meet();
    }
  }
  if (bench.rank != 0) return;
  const double sequential = median(times[0]), release = median(times[1]);
  std::printf("%-24s %10.1f %10.1f %8.2f\n", name, sequential, release, sequential / release);
}

void rows(const Bench& bench) {
  if (bench.rank == 0) std::printf("%-24s %10s %10s\n", "us an iteration", "sequential", "release");
  const unsigned self = bench.rank;
  row(bench, "barrier_alone", [&](const krg::Region&, int) { bench.meet(); });
  row(bench, "false_sharing_64", [&](const krg::Region& region, int i) {
    for (std::size_t page = 0; page < 64; ++page) at(region, page, self) = std::uint64_t(i) + 1;
    bench.meet();
  });
  row(bench, "fine_sharing_16x10", [&](const krg::Region& region, int i) {
    for (int k = 0; k < 10; ++k) {
      for (std::size_t page = 0; page < 16; ++page) {
        at(region, page, self) = std::uint64_t(i) * 10 + std::uint64_t(k) + 1;
      }
    }
    bench.meet();
  });
  row(bench, "stencil_1", [&](const krg::Region& region, int i) {
    const std::size_t next = (self + 1) % bench.ranks;
    for (std::size_t word = 0; word < kWords; ++word) at(region, self, word) = std::uint64_t(i) + 1;
    bench.meet();
    for (std::size_t word = 0; word < kWords; ++word) look(region, next, word);
    bench.meet();
  });
  row(bench, "producer_consumer_64", [&](const krg::Region& region, int i) {
    for (std::size_t page = 0; page < 64; ++page) {
      for (std::size_t word = 0; word < kWords; word += 4) {
        if (self == 0) at(region, page, word) = std::uint64_t(i) + 1;
      }
    }
    bench.meet();
    for (std::size_t page = 0; page < 64; ++page) look(region, page, 9);
    bench.meet();
  });
  row(bench, "read_only_64", [&](const krg::Region& region, int) {
    for (std::size_t page = 0; page < 64; ++page) look(region, page, 9);
    bench.meet();
  });
  row(bench, "lock_and_a_word", [&](const krg::Region& region, int) {
    krg::Mutex mutex(bench.locks, 1);
    const auto held = must(mutex.guard(), "the mutex");
    at(region, 0, 0) = at(region, 0, 0) + 1;
  });
}

// What a region is made for does not matter, only what of it is written.
void sizes(const Bench& bench) {
  constexpr std::array<std::pair<const char*, std::size_t>, 2> kSizes{
      {{"barrier_32mib", 32 * kMib}, {"barrier_16gib", 16384 * kMib}}};
  std::array<std::vector<double>, 2> times, releases;
  for (int i = 0; i < kTimes; ++i) {
    for (std::size_t k = 0; k < kSizes.size(); ++k) {
      const std::string name = std::string(kSizes[k].first) + "." + std::to_string(i);
      krg::Region region = bench.region(name.c_str(), kSizes[k].second, Consistency::release);
      const std::size_t pages = region.size() / kPage;
      // All over it, and beside others.
      const auto page_of = [&](int round) { return pages / 61 * std::size_t(round % 61); };
      times[k].push_back(us_each(bench, [&](int round) {
        at(region, page_of(round), bench.rank) = std::uint64_t(round) + 1;
        bench.meet();
      }));
      releases[k].push_back(us_each(bench, [&](int round) {
        at(region, page_of(round), bench.rank) = std::uint64_t(round) + 1000;
        must(region.release(), "releasing");
      }));
      bench.meet();
    }
  }
  if (bench.rank != 0) return;
  for (std::size_t k = 0; k < kSizes.size(); ++k) {
    std::printf("%-24s %10s %10.1f\n", kSizes[k].first, "", median(times[k]));
  }
  std::printf("%-24s %10s %10.1f\n", "release_32mib", "", median(releases[0]));
  std::printf("%-24s %10s %10.1f\n", "release_16gib", "", median(releases[1]));
}

}  // namespace

int main() {
  const auto environment = krg::config::Environment::of_process();
  const auto rank = environment.get("KRG_RANK");
  const auto size = environment.get("KRG_SIZE");
  if (!rank || !size) {
    std::fputs("krg_release_latency: to be started by krgrun\n", stderr);
    return 2;
  }
  const auto space = must(krg::kddm::Space::connect(), "the space");
  const auto locks = must(krg::Locks::open(*space, "bench.locks", 8), "the locks");
  const Bench bench{static_cast<unsigned>(std::atoi(std::string(*rank).c_str())),
                    static_cast<unsigned>(std::atoi(std::string(*size).c_str())), *locks};
  rows(bench);
  sizes(bench);
  return 0;
}
