// The users of the simulated cluster: each takes a lease on some object, holds it, looks or writes,
// and writes down what it saw.
#pragma once

#include <string>
#include <vector>

#include "krg/sim/random.h"
#include "node.h"
#include "recorder.h"

namespace krg::kddm_sim {

// A set that all clients use.
struct SetPlan {
  kddm::SetId id;
  kddm::SetOptions options;
  std::size_t first = 0;  // The recorder's number of its first object.
  std::uint64_t objects = 1;
};

// What all clients of a run share.
struct Work {
  Recorder& recorder;
  sim::Random random;
  std::vector<SetPlan> sets = {};
  Duration pause = std::chrono::microseconds(500);  // Of a client between two ops, at most.
  bool stopping = false;
  std::uint64_t clients = 0;   // That run now.
  std::uint64_t done = 0;      // Operations that ended well.
  std::string complaint = {};  // The first thing that was wrong.

  void complain(std::string what) {
    if (complaint.empty()) complaint = std::move(what);
  }
};

// Uses objects until work.stopping, or until its life ends.
Co<void> use_objects(Node& node, Work& work);

// Reads every object there is, and creates none. Says what it was in `seen`, by number.
Co<void> read_all(Node& node, Work& work, std::vector<Value>& seen);

}  // namespace krg::kddm_sim
