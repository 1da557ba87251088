// krg_app_jacobi: a hot plate. Each member relaxes its rows, and reads its neighbours' border rows.
#include <algorithm>
#include <cstring>
#include <vector>

#include "app.h"

namespace {

using namespace krg::bench;  // NOLINT

// Two plates of side x side cells: steps go from one to the other and back. A row begins on a page,
// so that no two members write to one page.
class Plates {
 public:
  static std::size_t stride_of(std::size_t side) { return (side + kStep - 1) / kStep * kStep; }

  Plates(double* even, double* odd, std::size_t side) noexcept
      : cells_{even, odd}, side_(side), stride_(stride_of(side)) {}

  double* row(unsigned step, std::size_t i) const { return cells_[step % 2] + i * stride_; }

  // Of rows [begin, end): the left and upper edges are hot, all else as cold as it is.
  void heat(std::size_t begin, std::size_t end) const {
    for (unsigned plate = 0; plate < 2; ++plate) {
      for (std::size_t i = begin; i < end; ++i) {
        if (i == 0) std::fill_n(row(plate, i), side_, 100.0);
        row(plate, i)[0] = 50.0;
      }
    }
  }

  // One step of those rows of [begin, end) that are no edges.
  void relax(unsigned step, std::size_t begin, std::size_t end) const {
    for (std::size_t i = std::max<std::size_t>(begin, 1); i < std::min(end, side_ - 1); ++i) {
      const double* const above = row(step, i - 1);
      const double* const here = row(step, i);
      const double* const below = row(step, i + 1);
      double* const to = row(step + 1, i);
      for (std::size_t j = 1; j < side_ - 1; ++j) {
        to[j] = (above[j] + below[j] + here[j - 1] + here[j + 1]) / 4;
      }
    }
  }

 private:
  static constexpr std::size_t kStep = Team::kPage / sizeof(double);

  double* cells_[2];
  std::size_t side_, stride_;
};

bool is_right(const Plates& plates, std::size_t side, unsigned steps) {
  const std::size_t cells = side * Plates::stride_of(side);
  std::vector<double> even(cells), odd(cells);
  const Plates own(even.data(), odd.data(), side);
  own.heat(0, side);
  for (unsigned step = 0; step < steps; ++step) own.relax(step, 0, side);
  for (std::size_t i = 0; i < side; ++i) {
    if (std::memcmp(own.row(steps, i), plates.row(steps, i), side * sizeof(double)) != 0) {
      return false;
    }
  }
  return true;
}

// A border between two nodes is crossed by a row's inner cells both ways, in a message each.
Traffic minimum_of(const Team& team, std::size_t side, unsigned steps) {
  const std::uint64_t borders = team.nodes() - 1;
  return {2 * borders * steps, 2 * borders * steps * (side - 2) * sizeof(double)};
}

Outcome work(Team& team, const Plan& plan) {
  constexpr unsigned kWarmUp = 2;  // Both plates have been written and read.
  const std::size_t side = plan.size;
  const std::size_t cells = side * Plates::stride_of(side);
  auto* const even = team.array<double>(cells);
  auto* const odd = team.array<double>(cells);
  const Plates plates(even, odd, side);
  const std::size_t begin = team.share(side, team.rank());
  const std::size_t end = team.share(side, team.rank() + 1);
  plates.heat(begin, end);
  team.barrier();

  // The neighbours' rows, and our own that they have read: each is brought at once, not by page.
  const bool upper = team.rank() > 0 && !team.is_here(team.rank() - 1);
  const bool lower = team.rank() + 1 < team.size() && !team.is_here(team.rank() + 1);
  const std::size_t bytes = side * sizeof(double);
  const auto relax = [&](unsigned step) {
    if (upper) team.will_read(plates.row(step, begin - 1), bytes);
    if (lower) team.will_read(plates.row(step, end), bytes);
    if (upper) team.will_write(plates.row(step + 1, begin), bytes);
    if (lower) team.will_write(plates.row(step + 1, end - 1), bytes);
    plates.relax(step, begin, end);
    team.barrier();
  };
  for (unsigned step = 0; step < kWarmUp; ++step) relax(step);
  const unsigned steps = kWarmUp + plan.iterations;
  team.start();
  for (unsigned step = kWarmUp; step < steps; ++step) relax(step);
  team.stop();

  if (plan.spoil && team.rank() + 1 == team.size()) plates.row(steps, side / 2)[side / 2] += 1e-9;
  team.barrier();
  if (team.rank() != 0) return {};
  return {is_right(plates, side, steps), plan.iterations, minimum_of(team, side, plan.iterations)};
}

}  // namespace

int main(int argc, char** argv) {
  return run_app({.name = "jacobi",
                  .about = "Relaxes a plate of SIZE x SIZE cells by Jacobi's method.",
                  .size_is = "cells of a row, and rows",
                  .size = 2048,
                  .smallest = 8,
                  .largest = 65'536,
                  .granule = 1,
                  .iterations_is = "steps that are measured",
                  .iterations = 50,
                  .work = work},
                 argc, argv);
}
