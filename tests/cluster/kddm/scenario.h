// One run of the simulation, from its seed to its verdict.
#pragma once

#include <cstdint>
#include <string>

namespace krg::kddm_sim {

// Which misfortunes there are; a bit each.
enum Fault : unsigned {
  kCrash = 1,      // A node dies, and may come back as a new life.
  kPartition = 2,  // Some nodes are cut off, for a moment or for good.
  kPause = 4,      // A node is stopped, for a moment or until the others go on without it.
  kSlow = 8,       // A link takes milliseconds.
  kLeave = 16,     // A node gives what it has to others and goes, and may come back. Not by oracle.
  kAllFaults = 31,
};

// Who decides which nodes are in the cluster.
enum class Views : std::uint8_t { hotplug, oracle };

struct Scenario {
  std::uint64_t seed = 1;
  std::uint32_t nodes = 0;  // 0: 3 to 5, as the seed says.
  unsigned faults = kAllFaults;
  Views views = Views::hotplug;
  std::uint64_t room = 0;  // What the copies of a node may take; 0: whatever they want.
};

struct Report {
  std::string violation;  // Empty: all is well.
  std::uint64_t trace = 0;
  std::uint64_t operations = 0;  // That were begun.
  std::uint64_t done = 0;        // That ended well.
  std::uint64_t failures = 0;    // Lives that failed.
  std::uint64_t moved = 0;       // Copies that went to a node with room.
  std::uint64_t undecided = 0;   // Objects whose histories have too many orders to be judged.
};

// The same scenario gives the same report.
Report run(const Scenario& scenario);

}  // namespace krg::kddm_sim
