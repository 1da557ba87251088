// krg_raw_peers: the two raw peers beside each other: what the other benches call base, checked
// alone.

#include "krg/baseline/peers.h"
#include "krg/harness/program.h"

using namespace krg;

int main(int argc, char** argv) {
  harness::Program program(
      "krg_raw_peers",
      "raw libfabric FI_EP_RDM messages; the column krg is raw UCX active messages");
  const auto& settings = program.parse(argc, argv);
  if (settings.transport == harness::Transport::sim) {
    std::fputs("krg_raw_peers: the raw peers know only shm and tcp\n", stderr);
    return 2;
  }
  const auto transport = settings.transport;
  harness::Match match;
  match.entrants = {
      {"raw UCX AM", [=] { return baseline::ucx_active_message(transport); }},
      {"raw libfabric", [=] { return baseline::libfabric_message(transport, 4u << 20); }}};
  using harness::Kind;
  for (const std::size_t size : program.sizes_or({8, 4096})) {
    match.rows.push_back({"latency", "us", {.kind = Kind::latency, .size = size}});
  }
  for (const unsigned window : {1u, 16u, 64u}) {
    match.rows.push_back({"rate, " + std::to_string(window) + " in flight",
                          "1/s",
                          {.kind = Kind::rate, .window = window, .size = 8}});
  }
  for (const std::size_t size : {std::size_t{64} << 10, std::size_t{1} << 20}) {
    match.rows.push_back(
        {"bandwidth", "MB/s", {.kind = Kind::bandwidth, .window = 8, .size = size}});
  }
  program.add(std::move(match));
  return program.run();
}
