#include "explore.h"

#include <algorithm>
#include <bit>
#include <chrono>
#include <cstring>

namespace krg::kddm::check {
namespace {

constexpr std::uint32_t kNone = 0xffffffff;

// 64 bits of what a world is; two worlds of one hash are taken for one.
std::uint64_t hash_of(const std::vector<std::uint8_t>& bytes) {
  std::uint64_t hash = 0x9e3779b97f4a7c15u ^ bytes.size();
  auto mix = [&](std::uint64_t word) {
    hash = (hash ^ word) * 0xd6e8feb86659fd93u;
    hash = (hash ^ (hash >> 32)) * 0xa0761d6478bd642fu;
    hash = std::rotl(hash ^ (hash >> 29), 23);
  };
  std::size_t at = 0;
  for (; at + 8 <= bytes.size(); at += 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, bytes.data() + at, 8);
    mix(word);
  }
  std::uint64_t rest = 0;
  if (at < bytes.size()) std::memcpy(&rest, bytes.data() + at, bytes.size() - at);
  mix(rest);
  mix(bytes.size());
  return hash == 0 ? 1 : hash;
}

// Hash -> number of the state. Open addressing.
class Seen {
 public:
  Seen() : hashes_(1 << 16), numbers_(1 << 16) {}

  // The number of the state with this hash, and whether it is new.
  std::pair<std::uint32_t, bool> insert(std::uint64_t hash) {
    if ((count_ + 1) * 10 > hashes_.size() * 7) grow();
    std::size_t at = slot(hash);
    if (hashes_[at] == hash) return {numbers_[at], false};
    hashes_[at] = hash;
    numbers_[at] = count_;
    return {count_++, true};
  }

 private:
  std::size_t slot(std::uint64_t hash) const {
    std::size_t at = hash & (hashes_.size() - 1);
    while (hashes_[at] != 0 && hashes_[at] != hash) at = (at + 1) & (hashes_.size() - 1);
    return at;
  }
  void grow() {
    std::vector<std::uint64_t> hashes(hashes_.size() * 2);
    std::vector<std::uint32_t> numbers(hashes.size());
    hashes.swap(hashes_);
    numbers.swap(numbers_);
    for (std::size_t i = 0; i < hashes.size(); ++i) {
      if (hashes[i] == 0) continue;
      const std::size_t at = slot(hashes[i]);
      hashes_[at] = hashes[i];
      numbers_[at] = numbers[i];
    }
  }

  std::vector<std::uint64_t> hashes_;
  std::vector<std::uint32_t> numbers_;
  std::uint32_t count_ = 0;
};

// The worlds of one level, one after the other.
struct Level {
  std::vector<std::uint8_t> bytes;
  std::vector<std::size_t> starts;
  std::vector<std::uint32_t> numbers;

  void add(const std::vector<std::uint8_t>& world, std::uint32_t number) {
    starts.push_back(bytes.size());
    numbers.push_back(number);
    bytes.insert(bytes.end(), world.begin(), world.end());
  }
};

class Explorer {
 public:
  Explorer(const Config& config, const Limits& limits, bool find_cycles)
      : config_(config), limits_(limits), find_cycles_(find_cycles), world_(config) {}

  Found run() {
    Seeded::active = config_.mutant;
    world_.coverage = &found_.coverage;
    visit(kNone, {});
    while (!next_.starts.empty() && found_.error.empty()) {
      std::swap(now_, next_);
      next_ = Level{};
      ++found_.depth;
      for (std::size_t i = 0; i < now_.starts.size() && found_.error.empty(); ++i) {
        if (over()) return found_;
        expand(now_.bytes.data() + now_.starts[i], now_.numbers[i]);
      }
    }
    found_.complete = found_.error.empty();
    if (found_.complete && find_cycles_) look_for_cycles();
    return found_;
  }

 private:
  void expand(const std::uint8_t* bytes, std::uint32_t number) {
    world_.load(bytes);
    world_.moves(moves_);
    if (world_.at_rest(moves_)) {
      ++found_.rests;
      const std::string error = world_.check_rest();
      if (!error.empty()) return fail(number, error, nullptr);
    }
    for (const Move move : moves_) {
      world_.load(bytes);
      ++found_.transitions;
      const std::string error = world_.apply(move);
      if (!error.empty()) return fail(number, error, &move);
      visit(number, move);
    }
  }

  void visit(std::uint32_t parent, Move move) {
    scratch_.clear();
    world_.save(scratch_);
    const auto [number, fresh] = seen_.insert(hash_of(scratch_));
    if (find_cycles_ && parent != kNone) edges_.push_back({parent, number});
    if (!fresh) return;
    ++found_.states;
    ways_.push_back({parent, move});
    next_.add(scratch_, number);
  }

  bool over() {
    if (limits_.states != 0 && found_.states > limits_.states) return true;
    if (limits_.seconds == 0 || ++ticks_ % 1024 != 0) return false;
    const std::chrono::duration<double> passed = std::chrono::steady_clock::now() - start_;
    return passed.count() > limits_.seconds;
  }

  // Writes down the way to the state, by going it again.
  void fail(std::uint32_t number, const std::string& error, const Move* last) {
    std::vector<Move> way;
    for (std::uint32_t at = number; ways_[at].parent != kNone; at = ways_[at].parent) {
      way.push_back(ways_[at].move);
    }
    std::reverse(way.begin(), way.end());
    if (last != nullptr) way.push_back(*last);
    World world(config_);
    world.narrate = true;
    for (const Move move : way) {
      found_.trace += "  " + world.describe(move) + "\n";
      world.apply(move);
      found_.trace += world.narrative;
    }
    found_.trace += world.describe();
    found_.error = error;
  }

  // Kahn: what can not be put in order is a circle, or behind one.
  void look_for_cycles() {
    std::vector<std::uint32_t> degree(ways_.size() + 1);
    for (const auto& [from, to] : edges_) ++degree[to];
    std::sort(edges_.begin(), edges_.end());
    std::vector<std::uint32_t> ready = {0};
    std::size_t ordered = 0;
    while (!ready.empty()) {
      const std::uint32_t from = ready.back();
      ready.pop_back();
      ++ordered;
      auto edge = std::lower_bound(edges_.begin(), edges_.end(), std::pair{from, 0u});
      for (; edge != edges_.end() && edge->first == from; ++edge) {
        if (--degree[edge->second] == 0) ready.push_back(edge->second);
      }
    }
    found_.cycle = ordered != ways_.size();
  }

  struct Way {
    std::uint32_t parent;
    Move move;
  };

  const Config config_;
  const Limits limits_;
  const bool find_cycles_;
  const std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  World world_;
  Found found_;
  Seen seen_;
  std::vector<Way> ways_;
  std::vector<std::pair<std::uint32_t, std::uint32_t>> edges_;
  std::vector<Move> moves_;
  std::vector<std::uint8_t> scratch_;
  Level now_, next_;
  unsigned ticks_ = 0;
};

}  // namespace

Found explore(const Config& config, const Limits& limits, bool find_cycles) {
  return Explorer(config, limits, find_cycles).run();
}

}  // namespace krg::kddm::check
