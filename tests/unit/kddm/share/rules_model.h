// Every interleaving of the lease rules, on a memory that does one operation at a time.
//
// The rules run as they are: an agent (a task, or krgd) is a function over a Memory. To find its
// next operation it is run again from the beginning of its present piece of work, fed with the
// results that its operations have had; the first one without a result is the next. So a state is
// the memory and those results, and all states are gone through once. Tasks may die anywhere.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <unordered_set>
#include <vector>

#include "lease_rules.h"

namespace krg::kddm::model {

inline constexpr std::size_t kTasks = 3;

enum class Do : std::uint8_t {
  load,
  cas,
  set,
  clear,
  store,  // The word.
  publish,
  unpublish,
  load_entry,
  take,  // A table; it has one entry for the task, one for grants.
  count,
  ring,
  enter,
  leave,  // Uses the bytes, or no more.
  own,    // krgd uses the bytes, and from then on allows something else.
  await,  // krgd waits for a ring or a death.
  bury,   // A death that krgd has not dealt with yet.
};

struct Op {
  Do what = Do::load;
  std::uint64_t a = 0;
  std::uint64_t b = 0;
};
// Thrown by a Memory that has no result for an operation.
struct Pending {
  Op op;
};

struct World {
  std::uint64_t word = 0;
  std::array<std::array<std::uint8_t, 2>, kTasks> entries{};  // 0, 1: reads, 2: writes.
  std::array<std::uint8_t, kTasks> uses{};                    // As entries.
  std::array<bool, kTasks> dead{};
  std::array<bool, kTasks> buried{};
  std::array<bool, kTasks> torn{};  // It died while it wrote.
  std::uint8_t version = 0;
  bool rung = false;
  bool owned = false;
  std::uint8_t allowed = 2;
  std::uint8_t generation = 0;
};

// What a task does, one letter a lease: r, w. What krgd does, one letter each: i: invalidate, n:
// the same and allow nothing, g: the same and use the slot again, d: allow only to read, u: allow
// to write again; R, W: grant the lease to the first task, which waits for it with R or W.
struct Plan {
  std::array<std::string, kTasks> tasks;
  std::string krgd;
  int deaths = 0;
};

struct Verdict {
  std::uint64_t states = 0;
  std::string violation;  // Empty: none.
  std::vector<std::string> path;
};

Verdict explore(const Plan& plan, rules::Mutant mutant = rules::Mutant::none);

}  // namespace krg::kddm::model
