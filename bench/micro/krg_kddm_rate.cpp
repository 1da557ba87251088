// krg_kddm_rate: gets of another node's objects per second, with many in flight.

#include "kddm_match.h"

int main(int argc, char** argv) {
  using namespace krg;
  harness::Program program("krg_kddm_rate", bench::kKddmBase);
  bench::KddmBench bench(program, argc, argv);
  harness::Match match = bench.match();
  for (const std::size_t size : program.sizes_or({4, 4096})) {
    for (const unsigned window : {1u, 8u, 64u}) {
      const std::string name =
          "remote_get_" + std::to_string(size) + ", " + std::to_string(window) + " in flight";
      match.rows.push_back(bench::kddm_stream_row(name, harness::Kind::rate, size, window));
    }
  }
  program.add(std::move(match));
  return program.run();
}
