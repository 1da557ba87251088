// krg_raw_peers: the two raw peers beside each other: what the other benches call base, checked
// alone.

#include "krg/baseline/peers.h"
#include "krg/harness/program.h"

using namespace krg;

int main(int argc, char** argv) {
  harness::Program program("krg_raw_peers",
                           "each raw peer by itself: UCX active messages, libfabric FI_EP_RDM "
                           "messages; krg does not play");
  program.only_over({harness::Transport::shm, harness::Transport::tcp},
                    "the raw peers know no simulation");
  const auto transport = program.parse(argc, argv).transport;
  const std::size_t largest = program.largest_size(4u << 20);
  harness::Match match;
  match.base = harness::Base::alone;
  match.entrants = {
      {"raw UCX AM", [=] { return baseline::ucx_active_message(transport); }},
      {"raw libfabric", [=] { return baseline::libfabric_message(transport, largest); }}};
  using harness::Kind;
  for (const std::size_t size : program.sizes_or({8, 4096})) {
    match.rows.push_back({"latency", "us", {.kind = Kind::latency, .size = size}});
  }
  for (const std::size_t size : program.sizes_or({8})) {
    for (const unsigned window : {1u, 16u, 64u}) {
      match.rows.push_back({"rate, " + std::to_string(window) + " in flight",
                            "1/s",
                            {.kind = Kind::rate, .window = window, .size = size}});
    }
  }
  for (const std::size_t size : program.sizes_or({64u << 10, 1u << 20})) {
    if (size == 0) continue;
    match.rows.push_back(
        {"bandwidth", "MB/s", {.kind = Kind::bandwidth, .window = 8, .size = size}});
  }
  program.add(std::move(match));
  return program.run();
}
