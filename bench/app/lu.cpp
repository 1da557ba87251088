// krg_app_lu: a dense matrix as L U, in blocks that are dealt to the members in two dimensions.
#include <algorithm>
#include <cstring>
#include <vector>

#include "app.h"

namespace {

using namespace krg::bench;  // NOLINT

constexpr std::size_t kSide = 64;  // Of a block: 8 pages.
constexpr std::size_t kCells = kSide * kSide;
constexpr std::size_t kBytes = kCells * sizeof(double);

// Whose a block is, and where it lies: a member's blocks together, so that no page is of two.
class Deal {
 public:
  Deal(std::size_t blocks, unsigned members) noexcept : blocks_(blocks) {
    for (unsigned rows = 1; rows * rows <= members; ++rows) {
      if (members % rows == 0) rows_ = rows;
    }
    columns_ = members / rows_;
    high_ = (blocks + rows_ - 1) / rows_;
    wide_ = (blocks + columns_ - 1) / columns_;
  }

  std::size_t blocks() const noexcept { return blocks_; }
  unsigned owner(std::size_t i, std::size_t j) const noexcept {
    return static_cast<unsigned>(i % rows_ * columns_ + j % columns_);
  }
  std::size_t place(std::size_t i, std::size_t j) const noexcept {
    return (owner(i, j) * high_ + i / rows_) * wide_ + j / columns_;
  }
  std::size_t cells() const noexcept { return rows_ * columns_ * high_ * wide_ * kCells; }

 private:
  std::size_t blocks_, rows_ = 1, columns_, high_, wide_;
};

struct Matrix {
  double* block(std::size_t i, std::size_t j) const { return cells + deal.place(i, j) * kCells; }

  double* cells;
  Deal deal;
};

// Of a matrix that needs no pivots: its diagonal is larger than the rest of a row together.
double value_at(std::size_t i, std::size_t j, std::size_t side) {
  std::uint64_t z = (i * side + j + 1) * 0x9e3779b97f4a7c15U;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
  z ^= z >> 27;
  const double value = static_cast<double>(z >> 11) * 0x1p-53 - 0.5;
  return i == j ? value + static_cast<double>(side) : value;
}

void fill_block(double* block, std::size_t bi, std::size_t bj, std::size_t side) {
  for (std::size_t i = 0; i < kSide; ++i) {
    for (std::size_t j = 0; j < kSide; ++j) {
      block[i * kSide + j] = value_at(bi * kSide + i, bj * kSide + j, side);
    }
  }
}

// A = L U in place.
void factor(double* a) {
  for (std::size_t k = 0; k < kSide; ++k) {
    for (std::size_t i = k + 1; i < kSide; ++i) {
      const double l = a[i * kSide + k] /= a[k * kSide + k];
      for (std::size_t j = k + 1; j < kSide; ++j) a[i * kSide + j] -= l * a[k * kSide + j];
    }
  }
}

// A becomes X of X U = A.
void solve_upper(double* a, const double* lu) {
  for (std::size_t i = 0; i < kSide; ++i) {
    for (std::size_t k = 0; k < kSide; ++k) {
      const double x = a[i * kSide + k] /= lu[k * kSide + k];
      for (std::size_t j = k + 1; j < kSide; ++j) a[i * kSide + j] -= x * lu[k * kSide + j];
    }
  }
}

// A becomes X of L X = A.
void solve_lower(double* a, const double* lu) {
  for (std::size_t k = 0; k < kSide; ++k) {
    for (std::size_t i = k + 1; i < kSide; ++i) {
      const double l = lu[i * kSide + k];
      for (std::size_t j = 0; j < kSide; ++j) a[i * kSide + j] -= l * a[k * kSide + j];
    }
  }
}

void subtract_product(double* __restrict a, const double* __restrict l,
                      const double* __restrict u) {
  for (std::size_t i = 0; i < kSide; ++i) {
    for (std::size_t k = 0; k < kSide; ++k) {
      const double x = l[i * kSide + k];
      for (std::size_t j = 0; j < kSide; ++j) a[i * kSide + j] -= x * u[k * kSide + j];
    }
  }
}

// What a member does between barriers, of the blocks for which `mine`; `needs` hears first of the
// blocks that it will read. One member for which all are its own does the whole.
template <class Mine, class Needs>
void panels(const Matrix& a, std::size_t k, Mine&& mine, Needs&& needs) {
  const double* const corner = a.block(k, k);
  bool asked = false;
  for (std::size_t i = k + 1; i < a.deal.blocks(); ++i) {
    if (!mine(i, k) && !mine(k, i)) continue;
    if (!asked) needs(k, k);
    asked = true;
    if (mine(i, k)) solve_upper(a.block(i, k), corner);
    if (mine(k, i)) solve_lower(a.block(k, i), corner);
  }
}

template <class Mine, class Needs>
void rest(const Matrix& a, std::size_t k, Mine&& mine, Needs&& needs) {
  const std::size_t blocks = a.deal.blocks();
  std::vector<bool> has_row(blocks, false);
  for (std::size_t i = k + 1; i < blocks; ++i) {
    bool has_left = false;
    for (std::size_t j = k + 1; j < blocks; ++j) {
      if (!mine(i, j)) continue;
      if (!has_left) needs(i, k);
      if (!has_row[j]) needs(k, j);
      has_left = has_row[j] = true;
      subtract_product(a.block(i, j), a.block(i, k), a.block(k, j));
    }
  }
}

// Each block that a node must have from another one, once; all blocks of one phase that go the same
// way make one message.
class Minimum {
 public:
  Minimum(const Team& team, const Deal& deal) : team_(team), deal_(deal) {}

  Traffic all() {
    for (std::size_t k = 0; k < deal_.blocks(); ++k) {
      phase(k, false);
      phase(k, true);
    }
    return total_;
  }

 private:
  void phase(std::size_t k, bool is_rest) {
    const std::size_t blocks = deal_.blocks();
    std::vector<bool> pairs(std::size_t{team_.nodes()} * team_.nodes(), false);
    for (unsigned node = 0; node < team_.nodes(); ++node) {
      std::vector<bool> sent(blocks * 2, false);
      const auto mine = [&](std::size_t i, std::size_t j) {
        return team_.node_of(deal_.owner(i, j)) == node;
      };
      const auto need = [&](std::size_t i, std::size_t j, std::size_t slot, std::size_t bytes) {
        if (mine(i, j) || sent[slot]) return;
        sent[slot] = true;
        total_.bytes += bytes;
        pairs[team_.node_of(deal_.owner(i, j)) * team_.nodes() + node] = true;
      };
      for (std::size_t i = k + 1; i < blocks; ++i) {
        // Slot 0 of a corner: its upper half with the diagonal; slot 1: the lower.
        if (!is_rest && mine(i, k)) need(k, k, 0, kSide * (kSide + 1) / 2 * sizeof(double));
        if (!is_rest && mine(k, i)) need(k, k, 1, kSide * (kSide - 1) / 2 * sizeof(double));
        for (std::size_t j = k + 1; is_rest && j < blocks; ++j) {
          if (!mine(i, j)) continue;
          need(i, k, i, kBytes);
          need(k, j, blocks + j, kBytes);
        }
      }
    }
    total_.messages += static_cast<std::uint64_t>(std::count(pairs.begin(), pairs.end(), true));
  }

  const Team& team_;
  const Deal& deal_;
  Traffic total_;
};

bool is_right(const Matrix& a, std::size_t side) {
  std::vector<double> cells(a.deal.cells());
  const Matrix own{cells.data(), a.deal};
  const std::size_t blocks = a.deal.blocks();
  for (std::size_t i = 0; i < blocks; ++i) {
    for (std::size_t j = 0; j < blocks; ++j) fill_block(own.block(i, j), i, j, side);
  }
  const auto all = [](std::size_t, std::size_t) { return true; };
  const auto nothing = [](std::size_t, std::size_t) {};
  for (std::size_t k = 0; k < blocks; ++k) {
    factor(own.block(k, k));
    panels(own, k, all, nothing);
    rest(own, k, all, nothing);
  }
  for (std::size_t i = 0; i < blocks; ++i) {
    for (std::size_t j = 0; j < blocks; ++j) {
      if (std::memcmp(own.block(i, j), a.block(i, j), kBytes) != 0) return false;
    }
  }
  return true;
}

Outcome work(Team& team, const Plan& plan) {
  const std::size_t blocks = plan.size / kSide;
  const Deal deal(blocks, team.size());
  const Matrix a{team.array<double>(deal.cells()), deal};
  const auto mine = [&](std::size_t i, std::size_t j) { return deal.owner(i, j) == team.rank(); };
  const auto needs = [&](std::size_t i, std::size_t j) {
    if (!team.is_here(deal.owner(i, j))) team.will_read(a.block(i, j), kBytes);
  };
  for (std::size_t i = 0; i < blocks; ++i) {
    for (std::size_t j = 0; j < blocks; ++j) {
      if (mine(i, j)) fill_block(a.block(i, j), i, j, plan.size);
    }
  }
  team.start();
  for (std::size_t k = 0; k < blocks; ++k) {
    if (mine(k, k)) factor(a.block(k, k));
    team.barrier();
    panels(a, k, mine, needs);
    team.barrier();
    rest(a, k, mine, needs);
  }
  team.stop();

  if (plan.spoil && mine(blocks - 1, blocks - 1)) a.block(blocks - 1, blocks - 1)[0] += 1e-9;
  team.barrier();
  if (team.rank() != 0) return {};
  return {is_right(a, plan.size), static_cast<unsigned>(blocks), Minimum(team, deal).all()};
}

}  // namespace

int main(int argc, char** argv) {
  return run_app({.name = "lu",
                  .about = "Factors a matrix of SIZE x SIZE cells, in blocks of 64 x 64.",
                  .size_is = "cells of a row, and rows",
                  .size = 1024,
                  .smallest = kSide,
                  .largest = 16'384,
                  .granule = kSide,
                  .iterations_is = "",
                  .iterations = 0,
                  .work = work},
                 argc, argv);
}
