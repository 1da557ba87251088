// krg_rpc_bw: bulk data in calls, eight in flight, beside the raw libraries.

#include "rpc_match.h"

int main(int argc, char** argv) {
  using namespace krg;
  harness::Program program("krg_rpc_bw", bench::kRpcBase);
  const auto& settings = program.parse(argc, argv);
  std::size_t largest = 4u << 20;
  for (const std::size_t size : settings.sizes) largest = size > largest ? size : largest;
  harness::Match match = bench::rpc_match(settings, largest);
  const std::size_t kib = 1024;
  for (const std::size_t size :
       program.sizes_or({16 * kib, 64 * kib, 256 * kib, 1024 * kib, 4096 * kib})) {
    match.rows.push_back(
        {"8 in flight", "MB/s", {.kind = harness::Kind::bandwidth, .window = 8, .size = size}});
  }
  program.add(std::move(match));
  return program.run();
}
