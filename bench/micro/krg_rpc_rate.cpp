// krg_rpc_rate: calls per second with many in flight, beside the raw libraries.

#include "rpc_match.h"

int main(int argc, char** argv) {
  using namespace krg;
  harness::Program program("krg_rpc_rate", bench::kRpcBase);
  const auto& settings = program.parse(argc, argv);
  harness::Match match = bench::rpc_match(settings, program.largest_size(4u << 20));
  for (const std::size_t size : program.sizes_or({8})) {
    for (const unsigned window : {1u, 4u, 16u, 64u, 256u}) {
      match.rows.push_back({std::to_string(window) + " in flight",
                            "1/s",
                            {.kind = harness::Kind::rate, .window = window, .size = size}});
    }
  }
  program.add(std::move(match));
  return program.run();
}
