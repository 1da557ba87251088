// A hot plate on all nodes, with loads and stores: each rank relaxes its rows of one shared array
// and reads its neighbours' rows where they are; a barrier ends each step.
//
// Rank 0 then does the same alone in memory of its own: every bit must be the same.
#include <krg/locks/barrier.h>
#include <krg/locks/locks.h>
#include <krg/region/region.h>

#include <algorithm>
#include <cstddef>
#include <vector>

#include "../objects/example.h"

namespace {

using namespace example;

constexpr std::size_t kSide = 256;
constexpr unsigned kSteps = 50;

// Two plates of kSide x kSide cells: steps go from one to the other and back.
struct Plates {
  explicit Plates(double* cells) : cells(cells) {}
  double* of(unsigned step) const { return cells + step % 2 * kSide * kSide; }

  double* cells;
};

// The upper edge is hot, all else cold.
void heat_edge(const Plates& plates) {
  for (const unsigned step : {0u, 1u}) std::fill_n(plates.of(step), kSide, 100.0);
}

// One step of rows [begin, end), which are no edges.
void relax(const Plates& plates, unsigned step, std::size_t begin, std::size_t end) {
  const double* const from = plates.of(step);
  double* const to = plates.of(step + 1);
  for (std::size_t row = begin; row < end; ++row) {
    for (std::size_t i = row * kSide + 1; i < (row + 1) * kSide - 1; ++i) {
      to[i] = (from[i - kSide] + from[i + kSide] + from[i - 1] + from[i + 1]) / 4;
    }
  }
}

bool is_right(const Plates& plates) {
  std::vector<double> cells(2 * kSide * kSide);
  const Plates own(cells.data());
  heat_edge(own);
  for (unsigned step = 0; step < kSteps; ++step) relax(own, step, 1, kSide - 1);
  return std::equal(own.of(kSteps), own.of(kSteps) + kSide * kSide, plates.of(kSteps));
}

}  // namespace

int main() {
  const unsigned rank = number_from("KRG_RANK");
  const unsigned ranks = number_from("KRG_SIZE");

  // Zeros at first, at the same address for all.
  const std::size_t bytes = 2 * kSide * kSide * sizeof(double);
  const auto region = must(krg::Region::open("example.plate", bytes), "the plates");
  const Plates plates(reinterpret_cast<double*>(region.data()));

  const auto space = must(Space::connect(), "connecting to krgd");
  const auto locks = must(krg::Locks::open(*space, "example.plate", 1), "the barrier");
  krg::Barrier barrier(*locks, 0, ranks);

  if (rank == 0) heat_edge(plates);
  must(barrier.arrive_and_wait(), "the barrier");
  const std::size_t begin = 1 + rank * (kSide - 2) / ranks;
  const std::size_t end = 1 + (rank + 1) * (kSide - 2) / ranks;
  for (unsigned step = 0; step < kSteps; ++step) {
    relax(plates, step, begin, end);
    must(barrier.arrive_and_wait(), "the barrier");
  }
  if (rank != 0) return 0;
  const bool right = is_right(plates);
  std::printf("%u ranks, %u steps, below the hot edge %.3f: %s\n", ranks, kSteps,
              plates.of(kSteps)[8 * kSide + kSide / 2], right ? "right" : "wrong");
  return right ? 0 : 1;
}
