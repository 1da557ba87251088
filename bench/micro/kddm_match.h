// What the kddm benches have in common: their options and their entrants.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "kddm_scenarios.h"
#include "krg/harness/program.h"

namespace krg::bench {

inline constexpr const char* kKddmBase =
    "one rpc of krg with a short request and a reply as long as what travels, between nodes that "
    "poll the same fabrics; and the same exchange by raw UCX active messages, polled busily";

class KddmBench {
 public:
  // Reads the command line.
  KddmBench(harness::Program& program, int argc, char** argv);

  unsigned nodes() const noexcept { return nodes_; }
  bool over_shared_memory() const noexcept {
    return settings_.transport == harness::Transport::shm;
  }
  // kddm, rpc and UCX; the rows are the caller's.
  harness::Match match() const;
  // kddm, and a coroutine that suspends nothing.
  harness::Match hits() const;

 private:
  unsigned nodes_ = 4;
  unsigned peers_ = 2;
  harness::Settings settings_;
};

}  // namespace krg::bench
