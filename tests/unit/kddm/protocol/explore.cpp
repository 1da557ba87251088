#include "explore.h"

#include <algorithm>
#include <cstring>
#include <string_view>
#include <unordered_map>

namespace krg::kddm_protocol::testing {
namespace {

struct Step {
  std::uint64_t parent = 0;
  Action action;
};

// States are told apart by 64 bits of hash: for 10^7 states the chance that any two share one is
// below 3e-6, and a shared one hides a state, never invents a violation.
std::uint64_t hash(std::string_view bytes) {
  std::uint64_t h = 0x9e3779b97f4a7c15ull ^ bytes.size();
  const auto mix = [&h](std::uint64_t word) {
    h = (h ^ word) * 0xff51afd7ed558ccdull;
    h ^= h >> 32;
    h *= 0xc4ceb9fe1a85ec53ull;
    h ^= h >> 29;
  };
  for (; bytes.size() >= 8; bytes.remove_prefix(8)) {
    std::uint64_t word = 0;
    std::memcpy(&word, bytes.data(), 8);
    mix(word);
  }
  std::uint64_t rest = 0;
  std::memcpy(&rest, bytes.data(), bytes.size());
  mix(rest);
  return h;
}

class Explorer {
 public:
  Explorer(const Bounds& bounds, const Mutant* mutant, std::uint64_t limit)
      : world_(bounds), mutant_(mutant), limit_(limit) {}

  Findings run();

 private:
  bool visit(const std::string& bytes);
  void found(std::string wrong, std::uint64_t key);

  World world_;
  const Mutant* mutant_;
  std::uint64_t limit_;
  std::unordered_map<std::uint64_t, Step> seen_;
  std::vector<std::string> level_, next_;
  Findings findings_;
};

void Explorer::found(std::string wrong, std::uint64_t key) {
  findings_.wrong = std::move(wrong);
  for (auto at = seen_.find(key); at != seen_.end() && at->second.parent != 0;
       at = seen_.find(at->second.parent))
    findings_.trace.push_back(describe(at->second.action));
  std::reverse(findings_.trace.begin(), findings_.trace.end());
}

// Takes every step from one state. Returns false at the end of the search.
bool Explorer::visit(const std::string& bytes) {
  const std::uint64_t key = hash(bytes);
  world_.decode(bytes);
  bool progress = false;
  const std::vector<Action> actions = world_.actions(progress);
  if (!progress) {
    ++findings_.at_rest;
    std::string wrong = world_.check_rest();
    if (!wrong.empty()) return found(std::move(wrong), key), false;
  }
  for (const Action& action : actions) {
    world_.decode(bytes);
    ++findings_.steps;
    std::string wrong = world_.apply(action, mutant_);
    std::string after = world_.encode();
    const std::uint64_t after_key = hash(after);
    const bool is_new = seen_.try_emplace(after_key, Step{key, action}).second;
    if (!wrong.empty()) {
      found(std::move(wrong), key);
      findings_.trace.push_back(describe(action));
      return false;
    }
    if (is_new) next_.push_back(std::move(after));
    if (seen_.size() >= limit_) return false;
  }
  return true;
}

Findings Explorer::run() {
  level_.push_back(world_.encode());
  seen_.emplace(hash(level_.front()), Step{});
  bool going = true;
  while (going && !level_.empty()) {
    for (std::size_t i = 0; going && i < level_.size(); ++i) going = visit(level_[i]);
    level_.swap(next_);
    next_.clear();
    if (going && !level_.empty()) ++findings_.depth;
  }
  findings_.states = seen_.size();
  findings_.complete = going;
  return findings_;
}

}  // namespace

Findings explore(const Bounds& bounds, const Mutant* mutant, std::uint64_t limit) {
  return Explorer(bounds, mutant, limit).run();
}

}  // namespace krg::kddm_protocol::testing
