// krg_rpc_bw: bulk data in calls, eight in flight, beside the raw libraries.

#include "rpc_match.h"

int main(int argc, char** argv) {
  using namespace krg;
  harness::Program program("krg_rpc_bw", bench::kRpcBase);
  program.sizes_are("bytes of data in each call (default: the bench's own)", 1, 1u << 30);
  const auto& settings = program.parse(argc, argv);
  harness::Match match = bench::rpc_match(settings, program.largest_size(4u << 20));
  const std::size_t kib = 1024;
  for (const std::size_t size :
       program.sizes_or({16 * kib, 64 * kib, 256 * kib, 1024 * kib, 4096 * kib})) {
    match.rows.push_back(
        {"8 in flight", "MB/s", {.kind = harness::Kind::bandwidth, .window = 8, .size = size}});
  }
  program.add(std::move(match));
  return program.run();
}
