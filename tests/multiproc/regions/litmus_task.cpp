// Litmus tests on a region: each rank runs its part of every round on fresh words, and writes down
// what it has read; rank 0 looks for outcomes that sequential consistency forbids. Ends with
// "right" from every rank.
#include <array>
#include <string>

#include "region_task.h"

namespace {

constexpr std::size_t kRounds = 256;  // Of a batch: words of one page.
constexpr std::size_t kMeet = 8;      // Ranks are at most so many rounds apart.
constexpr std::size_t kBarrier = 0, kX = 1, kY = 2, kResults = 3;

constexpr auto kPlain = std::memory_order_relaxed;

class Litmus {
 public:
  explicit Litmus(const krg::Region& region) : region_(region), all_(region, kBarrier) {}

  Word& x(std::size_t round) const { return word(region_, kX, round); }
  Word& y(std::size_t round) const { return word(region_, kY, round); }
  Word& result(unsigned rank, unsigned which, std::size_t round) const {
    return word(region_, kResults + rank * 2 + which, round);
  }
  Meeting& all() { return all_; }

  // `part` of each round by each rank; `check` of each round by rank 0. How many were wrong.
  template <class Part, class Check>
  unsigned run(unsigned batches, Part&& part, Check&& check) {
    unsigned wrong = 0;
    for (unsigned batch = 0; batch < batches; ++batch) {
      for (std::size_t round = 0; round < kRounds; ++round) {
        if (round % kMeet == 0) all_.meet();
        part(round);
      }
      all_.meet();
      if (rank_of_this() == 0) {
        for (std::size_t round = 0; round < kRounds; ++round) wrong += check(round) ? 0 : 1;
        for (std::size_t round = 0; round < kRounds; ++round) {
          x(round).store(0);
          y(round).store(0);
        }
      }
      all_.meet();
    }
    return wrong;
  }

 private:
  const krg::Region& region_;
  Meeting all_;
};

// Stores and loads of one rank are in program order on x86; elsewhere they are made so.
#if defined(__x86_64__)
constexpr auto kStore = std::memory_order_relaxed, kLoad = std::memory_order_relaxed;
#else
constexpr auto kStore = std::memory_order_release, kLoad = std::memory_order_acquire;
#endif

unsigned message_passing(Litmus& l, unsigned batches) {
  return l.run(
      batches,
      [&](std::size_t i) {
        if (rank_of_this() == 0) {
          l.x(i).store(1, kStore);
          l.y(i).store(1, kStore);
        } else {
          const std::uint64_t flag = l.y(i).load(kLoad);
          l.result(1, 1, i).store(l.x(i).load(kLoad), kPlain);
          l.result(1, 0, i).store(flag, kPlain);
        }
      },
      [&](std::size_t i) {
        return l.result(1, 0, i).load() == 0 || l.result(1, 1, i).load() == 1;
      });
}

unsigned store_buffering(Litmus& l, unsigned batches) {
  return l.run(
      batches,
      [&](std::size_t i) {
        const bool first = rank_of_this() == 0;
        (first ? l.x(i) : l.y(i)).store(1);  // Sequentially consistent: past the store buffer.
        l.result(rank_of_this(), 0, i).store((first ? l.y(i) : l.x(i)).load(), kPlain);
      },
      [&](std::size_t i) {
        return l.result(0, 0, i).load() == 1 || l.result(1, 0, i).load() == 1;
      });
}

unsigned load_buffering(Litmus& l, unsigned batches) {
  return l.run(
      batches,
      [&](std::size_t i) {
        const bool first = rank_of_this() == 0;
        const std::uint64_t found = (first ? l.y(i) : l.x(i)).load(kLoad);
        (first ? l.x(i) : l.y(i)).store(1, kStore);
        l.result(rank_of_this(), 0, i).store(found, kPlain);
      },
      [&](std::size_t i) {
        return l.result(0, 0, i).load() == 0 || l.result(1, 0, i).load() == 0;
      });
}

// All write one word in turn; nobody sees it go back. Values of one rank grow.
unsigned coherence(Litmus& l, unsigned batches) {
  unsigned wrong = 0;
  const unsigned seen_wrong = l.run(
      batches,
      [&](std::size_t i) {
        std::array<std::uint64_t, 16> newest{};
        for (std::uint64_t k = 1; k <= 4; ++k) {
          l.x(i).store(rank_of_this() << 8 | k, kStore);
          const std::uint64_t found = l.x(i).load(kLoad);
          std::uint64_t& known = newest[found >> 8 & 15];
          if ((found & 255) < known) ++wrong;
          known = found & 255;
        }
        l.result(rank_of_this(), 0, i).store(wrong, kPlain);
      },
      [&](std::size_t i) {
        for (unsigned rank = 0; rank < ranks(); ++rank) {
          if (l.result(rank, 0, i).load() != 0) return false;
        }
        return true;
      });
  return seen_wrong;
}

unsigned iriw(Litmus& l, unsigned batches) {
  return l.run(
      batches,
      [&](std::size_t i) {
        const unsigned rank = rank_of_this();
        if (rank == 0) l.x(i).store(1, kStore);
        if (rank == 1) l.y(i).store(1, kStore);
        if (rank < 2) return;
        const std::uint64_t first = (rank == 2 ? l.x(i) : l.y(i)).load(kLoad);
        const std::uint64_t second = (rank == 2 ? l.y(i) : l.x(i)).load(kLoad);
        l.result(rank, 0, i).store(first, kPlain);
        l.result(rank, 1, i).store(second, kPlain);
      },
      [&](std::size_t i) {
        const bool x_before_y = l.result(2, 0, i).load() == 1 && l.result(2, 1, i).load() == 0;
        const bool y_before_x = l.result(3, 0, i).load() == 1 && l.result(3, 1, i).load() == 0;
        return !(x_before_y && y_before_x);
      });
}

}  // namespace

int main(int argc, char** argv) {
  const std::string test = argc > 1 ? argv[1] : "message_passing";
  const unsigned batches = argc > 2 ? static_cast<unsigned>(std::atoi(argv[2])) : 2;
  const krg::Region region = must(krg::Region::open("litmus." + test, 1 << 20), "the region");
  Litmus litmus(region);
  unsigned wrong = 1;
  if (test == "message_passing") wrong = message_passing(litmus, batches);
  if (test == "store_buffering") wrong = store_buffering(litmus, batches);
  if (test == "load_buffering") wrong = load_buffering(litmus, batches);
  if (test == "coherence") wrong = coherence(litmus, batches);
  if (test == "iriw") wrong = iriw(litmus, batches);
  std::puts(wrong == 0 ? "right" : "wrong");
  return wrong == 0 ? 0 : 1;
}
