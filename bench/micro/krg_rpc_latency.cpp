// krg_rpc_latency: the time of one call, beside the raw libraries.

#include "rpc_match.h"

int main(int argc, char** argv) {
  using namespace krg;
  harness::Program program("krg_rpc_latency", bench::kRpcBase);
  const auto& settings = program.parse(argc, argv);
  harness::Match match = bench::rpc_match(settings, program.largest_size(4u << 20));
  for (const std::size_t size : program.sizes_or({8, 64, 512, 4096})) {
    const char* name = size <= 8 ? "null call" : "echo";
    match.rows.push_back({name, "us", {.kind = harness::Kind::latency, .size = size}});
  }
  program.add(std::move(match));
  return program.run();
}
