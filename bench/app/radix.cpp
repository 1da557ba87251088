// krg_app_radix: keys of 32 bits, sorted by 8 bits a pass. Each member sorts its part; then each
// fetches from every other one the run of keys that comes to lie in its part.
#include <algorithm>
#include <array>
#include <cstring>
#include <utility>
#include <vector>

#include "app.h"

namespace {

using namespace krg::bench;  // NOLINT

using Key = std::uint32_t;
constexpr unsigned kBits = 8;
constexpr unsigned kPasses = 32 / kBits;
constexpr std::size_t kDigits = std::size_t{1} << kBits;
constexpr std::size_t kPageKeys = Team::kPage / sizeof(Key);

// How many keys of each digit a member has, on a page of its own.
struct alignas(Team::kPage) Counts {
  std::array<std::uint32_t, kDigits> of;
};

Key key_at(std::size_t i) {
  std::uint64_t z = (i + 1) * 0x9e3779b97f4a7c15U;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
  return static_cast<Key>(z >> 32);
}

std::size_t digit_of(Key key, unsigned pass) { return key >> (pass * kBits) & (kDigits - 1); }

// Where a run of keys lies that one member has and another one needs.
struct Piece {
  std::size_t from;  // In the order of the one that has it.
  std::size_t to;    // In the order of all.
  std::size_t count;
};

class Sorter {
 public:
  Sorter(Team& team, std::size_t keys)
      : team_(team),
        keys_(keys),
        begin_(begin_of(team.rank())),
        end_(begin_of(team.rank() + 1)),
        sorted_(team.array<Key>(keys)),
        counts_{team.array<Counts>(team.size()), team.array<Counts>(team.size())},
        local_{team.array<Key>(keys), team.array<Key>(keys)} {}

  // Parts are whole pages, so that no page is of two members.
  std::size_t begin_of(unsigned rank) const {
    return team_.share(keys_ / kPageKeys, rank) * kPageKeys;
  }

  void fill() {
    for (std::size_t i = begin_; i < end_; ++i) sorted_[i] = key_at(i);
  }
  // Where others read a part, its owner writes the other one next: so a pass needs one barrier.
  void pass(unsigned number) {
    Key* const local = local_[number % 2];
    const Counts* const counts = counts_[number % 2];
    sort_part(number, local, counts_[number % 2][team_.rank()]);
    team_.barrier();
    team_.will_read(counts, team_.size() * sizeof(Counts));
    gather(counts);
    for (unsigned rank = 0; rank < team_.size(); ++rank) {
      const std::vector<Piece>& pieces = pieces_[rank];
      if (pieces.empty()) continue;
      const std::size_t first = pieces.front().from;
      const std::size_t past = pieces.back().from + pieces.back().count;
      const Key* const part = local + begin_of(rank);
      if (!team_.is_here(rank)) {
        team_.will_read(part + first, (past - first) * sizeof(Key));
        least_.bytes += (past - first) * sizeof(Key);
      }
      for (const Piece& piece : pieces) {
        std::memcpy(sorted_ + piece.to, part + piece.from, piece.count * sizeof(Key));
      }
    }
    count_messages();
  }
  Key* sorted() const { return sorted_; }
  // What this member has had to get from other nodes.
  const Traffic& least() const { return least_; }

 private:
  void sort_part(unsigned pass, Key* local, Counts& counts) {
    std::array<std::uint32_t, kDigits> next{};
    for (std::size_t i = begin_; i < end_; ++i) ++next[digit_of(sorted_[i], pass)];
    counts.of = next;
    std::uint32_t at = 0;
    for (std::uint32_t& digit : next) at += std::exchange(digit, at);
    for (std::size_t i = begin_; i < end_; ++i) {
      local[begin_ + next[digit_of(sorted_[i], pass)]++] = sorted_[i];
    }
  }

  // Which keys of each member come to lie in [begin_, end_): all of one digit of the first member,
  // then of the second, and then of the next digit.
  void gather(const Counts* counts) {
    pieces_.assign(team_.size(), {});
    std::vector<std::size_t> from(team_.size(), 0);
    std::size_t to = 0;
    for (std::size_t digit = 0; digit < kDigits; ++digit) {
      for (unsigned rank = 0; rank < team_.size(); ++rank) {
        const std::size_t count = counts[rank].of[digit];
        const std::size_t low = std::max(to, begin_);
        const std::size_t high = std::min(to + count, end_);
        if (low < high) pieces_[rank].push_back({from[rank] + (low - to), low, high - low});
        from[rank] += count;
        to += count;
      }
    }
  }

  // Of two nodes each sends the other one its members' counts in one message, and its keys in
  // another. The counts are got once for a node, by its first member.
  void count_messages() {
    const unsigned each = team_.size() / team_.nodes();
    if (team_.rank() % each != 0) return;
    least_.messages += 2 * std::uint64_t{team_.nodes() - 1};
    least_.bytes += std::uint64_t{team_.size() - each} * sizeof(Counts::of);
  }

  Team& team_;
  const std::size_t keys_, begin_, end_;
  Key* const sorted_;
  Counts* const counts_[2];
  Key* const local_[2];
  std::vector<std::vector<Piece>> pieces_;  // By member.
  Traffic least_;
};

bool is_right(const Key* sorted, std::size_t keys) {
  std::vector<Key> own(keys);
  for (std::size_t i = 0; i < keys; ++i) own[i] = key_at(i);
  std::sort(own.begin(), own.end());
  return std::equal(own.begin(), own.end(), sorted);
}

Outcome work(Team& team, const Plan& plan) {
  Sorter sorter(team, plan.size);
  sorter.fill();
  team.start();
  for (unsigned pass = 0; pass < kPasses; ++pass) sorter.pass(pass);
  team.stop();

  if (plan.spoil && team.rank() + 1 == team.size()) ++sorter.sorted()[plan.size - 1];
  const Traffic least{team.sum(sorter.least().messages), team.sum(sorter.least().bytes)};
  if (team.rank() != 0) return {};
  return {is_right(sorter.sorted(), plan.size), kPasses, least};
}

}  // namespace

int main(int argc, char** argv) {
  return run_app({.name = "radix",
                  .about = "Sorts SIZE random keys of 32 bits by their digits, in four passes.",
                  .size_is = "keys",
                  .size = std::size_t{1} << 21,
                  .smallest = kPageKeys,
                  .largest = std::size_t{1} << 30,
                  .granule = kPageKeys,
                  .iterations_is = "",
                  .iterations = 0,
                  .work = work},
                 argc, argv);
}
