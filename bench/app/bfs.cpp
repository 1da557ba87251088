// krg_app_bfs: distances in a graph of the Graph500 kind. Each member has the edges of its
// vertices, and asks in each level which of their neighbours were reached in the last one: a bit
// for each vertex, that all members read and the vertex's owner writes.
#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>
#include <vector>

#include "app.h"

namespace {

using namespace krg::bench;  // NOLINT

using Vertex = std::uint32_t;
constexpr std::size_t kEdgeFactor = 16;
constexpr std::size_t kPageVertices = Team::kPage * 8;  // Whose bits fill a page.
constexpr std::uint32_t kUnreached = ~0U;

std::uint64_t mixed(std::uint64_t z) {
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
  return z ^ (z >> 31);
}

// The edges of a graph by R-MAT: each halving of the matrix takes a quarter by chance.
class Edges {
 public:
  explicit Edges(std::size_t vertices) : bits_(static_cast<int>(std::bit_width(vertices)) - 1) {}

  std::size_t count() const { return kEdgeFactor << bits_; }
  std::pair<Vertex, Vertex> at(std::size_t i) const {
    std::uint64_t state = mixed((i + 1) * 0x9e3779b97f4a7c15U);
    Vertex from = 0, to = 0;
    for (int bit = 0; bit < bits_; ++bit) {
      state = mixed(state + 0x9e3779b97f4a7c15U);
      const double drawn = static_cast<double>(state >> 11) * 0x1p-53;
      const bool lower = drawn >= kA + kB;
      const bool right = lower ? drawn >= kA + kB + kC : drawn >= kA;
      from = from << 1 | (lower ? 1 : 0);
      to = to << 1 | (right ? 1 : 0);
    }
    return {scattered(from), scattered(to)};
  }

 private:
  // Of the Graph500 specification; a fourth one is what is left.
  static constexpr double kA = 0.57, kB = 0.19, kC = 0.19;

  // So that the vertices of many edges are not all at the first member. Odd factors and shifts to
  // the right can be undone, so no two vertices become one.
  Vertex scattered(Vertex v) const {
    const std::uint64_t mask = (std::uint64_t{1} << bits_) - 1;
    std::uint64_t x = v;
    for (int i = 0; i < 2; ++i) {
      x = x * 0x9e3779b97f4a7c15U & mask;
      x ^= x >> (bits_ / 2);
    }
    return static_cast<Vertex>(x);
  }

  int bits_;
};

// The neighbours of the vertices [begin, end), both ways.
class Neighbours {
 public:
  Neighbours(const Edges& edges, std::size_t begin, std::size_t end)
      : begin_(begin), first_(end - begin + 1, 0) {
    const auto for_each = [&](auto&& take) {
      for (std::size_t i = 0; i < edges.count(); ++i) {
        const auto [a, b] = edges.at(i);
        if (a >= begin && a < end) take(a, b);
        if (b >= begin && b < end) take(b, a);
      }
    };
    for_each([&](Vertex v, Vertex) { ++first_[v - begin + 1]; });
    for (std::size_t i = 1; i < first_.size(); ++i) first_[i] += first_[i - 1];
    ends_.resize(first_.back());
    std::vector<std::size_t> next(first_.begin(), first_.end() - 1);
    for_each([&](Vertex v, Vertex other) { ends_[next[v - begin]++] = other; });
  }

  const Vertex* begin(std::size_t v) const { return ends_.data() + first_[v - begin_]; }
  const Vertex* end(std::size_t v) const { return ends_.data() + first_[v - begin_ + 1]; }

 private:
  std::size_t begin_;
  std::vector<std::size_t> first_;
  std::vector<Vertex> ends_;
};

// The vertex of most edges among the first ones: it is in the large component.
Vertex root_of(const Edges& edges) {
  constexpr std::size_t kLooked = 1024;
  std::vector<unsigned> seen(edges.count() / kEdgeFactor, 0);
  for (std::size_t i = 0; i < std::min(kLooked, edges.count()); ++i) ++seen[edges.at(i).first];
  return static_cast<Vertex>(std::max_element(seen.begin(), seen.end()) - seen.begin());
}

struct Search {
  // Levels of one member's vertices [begin, end), which lie in `levels` by their number.
  std::size_t begin, end;
  std::uint32_t* levels;
  std::uint64_t* bits[2];  // Of the vertices reached in even and in odd levels.

  bool reached(unsigned level, Vertex v) const { return bits[level % 2][v / 64] >> v % 64 & 1; }

  void put(Vertex root) const {
    std::fill(levels + begin, levels + end, kUnreached);
    if (root < begin || root >= end) return;
    levels[root] = 0;
    bits[0][root / 64] = std::uint64_t{1} << root % 64;
  }
  // How many have been reached. A word is written only if it changes: writing takes its page.
  std::uint64_t step(unsigned level, const Neighbours& neighbours) const {
    std::uint64_t count = 0;
    for (std::size_t word = begin / 64; word < end / 64; ++word) {
      std::uint64_t found = 0;
      for (unsigned bit = 0; bit < 64; ++bit) {
        const std::size_t v = word * 64 + bit;
        if (levels[v] != kUnreached) continue;
        const auto is_near = [&](Vertex other) { return reached(level, other); };
        if (!std::any_of(neighbours.begin(v), neighbours.end(v), is_near)) continue;
        levels[v] = level + 1;
        found |= std::uint64_t{1} << bit;
      }
      std::uint64_t& next = bits[(level + 1) % 2][word];
      if (next != found) next = found;
      count += static_cast<std::uint64_t>(std::popcount(found));
    }
    return count;
  }
};

bool is_right(const Edges& edges, std::size_t vertices, Vertex root, const std::uint32_t* levels) {
  const Neighbours neighbours(edges, 0, vertices);
  std::vector<std::uint32_t> own(vertices, kUnreached);
  std::vector<Vertex> queue = {root};
  own[root] = 0;
  for (std::size_t i = 0; i < queue.size(); ++i) {
    const Vertex v = queue[i];
    for (const Vertex* other = neighbours.begin(v); other != neighbours.end(v); ++other) {
      if (own[*other] != kUnreached) continue;
      own[*other] = own[v] + 1;
      queue.push_back(*other);
    }
  }
  return std::equal(own.begin(), own.end(), levels);
}

// What this member's part of a level is to the other nodes: its bits or, if there are few, their
// numbers; and how many there are. Of a node's members one counts the message.
Traffic least_of(const Team& team, std::size_t part, std::uint64_t found) {
  const std::uint64_t others = team.nodes() - 1;
  const bool counts = team.rank() % (team.size() / team.nodes()) == 0;
  return {counts ? others : 0,
          others * (sizeof found + std::min<std::uint64_t>(part / 8, found * sizeof(Vertex)))};
}

Outcome work(Team& team, const Plan& plan) {
  const Edges edges(plan.size);
  // A member's bits are whole pages.
  const std::size_t pages = plan.size / kPageVertices;
  const std::size_t begin = team.share(pages, team.rank()) * kPageVertices;
  const std::size_t end = team.share(pages, team.rank() + 1) * kPageVertices;
  const Search search{
      begin,
      end,
      team.array<std::uint32_t>(plan.size),
      {team.array<std::uint64_t>(plan.size / 64), team.array<std::uint64_t>(plan.size / 64)}};
  const Vertex root = root_of(edges);
  const Neighbours neighbours(edges, begin, end);
  search.put(root);
  Traffic least;
  unsigned level = 0;
  team.start();
  for (std::uint64_t reached = 1; reached > 0; ++level) {
    team.will_read(search.bits[level % 2], plan.size / 8);
    const std::uint64_t found = search.step(level, neighbours);
    least += least_of(team, end - begin, found);
    reached = team.sum(found);
  }
  team.stop();

  if (plan.spoil && team.rank() + 1 == team.size()) ++search.levels[plan.size - 1];
  least = {team.sum(least.messages), team.sum(least.bytes)};
  if (team.rank() != 0) return {};
  return {is_right(edges, plan.size, root, search.levels), level, least};
}

}  // namespace

int main(int argc, char** argv) {
  return run_app({.name = "bfs",
                  .about = "Searches a Graph500 graph of SIZE vertices, 16 edges each, in breadth.",
                  .size_is = "vertices; of a power of two all may have edges",
                  .size = std::size_t{1} << 17,
                  .smallest = kPageVertices,
                  .largest = std::size_t{1} << 28,
                  .granule = kPageVertices,
                  .iterations_is = "",
                  .iterations = 0,
                  .work = work},
                 argc, argv);
}
