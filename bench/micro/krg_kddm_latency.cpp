// krg_kddm_latency: shared objects between nodes, one operation at a time, beside one rpc.

#include "kddm_local.h"
#include "kddm_match.h"

int main(int argc, char** argv) {
  using namespace krg;
  harness::Program program("krg_kddm_latency", bench::kKddmBase);
  bench::KddmBench bench(program, argc, argv);
  const auto sizes = program.sizes_or({4, 4096});
  harness::Match match = bench.match();
  match.rows = bench::kddm_latency_rows(sizes, bench.nodes());
  program.add(std::move(match));
  harness::Match hits = bench.hits();
  hits.rows = bench::kddm_hit_rows(sizes);
  program.add(std::move(hits));
  if (bench.over_shared_memory()) bench::add_local_rows(program);
  return program.run();
}
