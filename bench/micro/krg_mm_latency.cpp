// krg_mm_latency: faults of a task on pages of a region, beside the least that such a fault can
// cost.

#include "krg/baseline/peers.h"
#include "krg/harness/program.h"
#include "mm_contestant.h"

int main(int argc, char** argv) {
  using namespace krg;
  harness::Program program(
      "krg_mm_latency",
      "one thread that reads a userfaultfd, fetches the page by a raw UCX active message and maps "
      "it; krg is two tasks of two nodes, with the whole protocol");
  program.only_over({harness::Transport::shm, harness::Transport::tcp},
                    "it measures processes on this machine");
  const harness::Settings& settings = program.parse(argc, argv);
  harness::Match match;
  match.entrants.push_back({"krg", [&settings] { return bench::mm_contestant(settings); }});
  match.entrants.push_back(
      {"uffd + raw UCX AM", [&settings] { return baseline::page_fault(settings.transport); }});
  match.rows.push_back({"read_miss_4096", "us", {.detail = 0}});
  match.rows.push_back({"write_miss_4096", "us", {.detail = 1}});
  match.rows.push_back({"read_here_4096", "us", {.detail = 2}});
  match.rows.push_back({"write_upgrade_4096", "us", {.detail = 3}});
  match.rows.push_back({"read_stream_16mib", "MB/s", {.kind = harness::Kind::bandwidth}});
  program.add(std::move(match));
  return program.run();
}
