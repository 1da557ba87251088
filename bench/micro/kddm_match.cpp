#include "kddm_match.h"

#include <algorithm>

#include "fetch_contestant.h"
#include "kddm_contestant.h"
#include "krg/base/freed_memory.h"
#include "krg/baseline/peers.h"

namespace krg::bench {

KddmBench::KddmBench(harness::Program& program, int argc, char** argv) {
  keep_freed_memory(kFreedMemoryKept);  // As krgd does; the peers gain as well.
  program.only_over({harness::Transport::shm, harness::Transport::tcp},
                    "the nodes are in two processes");
  program.sizes_are("bytes of an object (default: the bench's own)", 1, 1u << 26);
  program.add_option("--nodes", nodes_, "nodes of the cluster, 2 to 4 (default 4)");
  program.add_option("--peers", peers_,
                     "of the peers, how many play; 0 to profile krg (default 2)");
  settings_ = program.parse(argc, argv);
  if (nodes_ < 2 || nodes_ > 4) program.refuse("--nodes: from 2 to 4");
}

harness::Match KddmBench::match() const {
  harness::Match match;
  match.entrants = {
      {"krg", [s = settings_, n = nodes_] { return kddm_contestant(s, n); }},
      {"krg rpc", [s = settings_, n = nodes_] { return fetch_contestant(s, n); }},
      {"raw UCX AM", [t = settings_.transport] { return baseline::ucx_active_message(t); }}};
  match.entrants.resize(std::min<std::size_t>(match.entrants.size(), 1 + peers_));
  return match;
}

harness::Match KddmBench::hits() const {
  harness::Match match;
  match.entrants = {{"krg", [s = settings_, n = nodes_] { return kddm_contestant(s, n); }},
                    {"an empty coroutine", coroutine_contestant()}};
  return match;
}

}  // namespace krg::bench
