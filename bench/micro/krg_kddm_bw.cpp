// krg_kddm_bw: 64 MiB of another node's objects, got one after the other with a few in flight, and
// as a range.

#include "kddm_match.h"

int main(int argc, char** argv) {
  using namespace krg;
  harness::Program program("krg_kddm_bw", bench::kKddmBase);
  bench::KddmBench bench(program, argc, argv);
  harness::Match match = bench.match();
  for (const std::size_t size : program.sizes_or({std::size_t{4} << 10, std::size_t{1} << 20})) {
    match.rows.push_back(bench::kddm_stream_row("sequential_get_" + std::to_string(size),
                                                harness::Kind::bandwidth, size, 8));
    match.rows.push_back(bench::kddm_stream_row("range_get_64mib_" + std::to_string(size),
                                                harness::Kind::bandwidth, size, 0));
  }
  program.add(std::move(match));
  return program.run();
}
