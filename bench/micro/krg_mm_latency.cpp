// krg_mm_latency: faults of a task on pages of a region, beside the least that such a fault can
// cost.

#include <cstdlib>
#include <filesystem>
#include <string>

#include "krg/baseline/page_rounds.h"
#include "krg/baseline/peers.h"
#include "krg/harness/program.h"
#include "mm_contestant.h"

using namespace krg;  // NOLINT

namespace {

constexpr std::size_t kPage = baseline::kPageBytes;

// Goes with the program, whose sides end without destructors.
class Folder {
 public:
  Folder() : path_((std::filesystem::temp_directory_path() / "krg_bench_XXXXXX").string()) {
    made_ = ::mkdtemp(path_.data()) != nullptr;
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() {
    std::error_code ignored;
    if (made_) std::filesystem::remove_all(path_, ignored);
  }
  const std::string& path() const noexcept { return path_; }

 private:
  std::string path_;
  bool made_ = false;
};

harness::Job job_of(baseline::PageRow row, harness::Kind kind = harness::Kind::latency) {
  return {.kind = kind, .size = kPage, .detail = static_cast<std::uint64_t>(row)};
}

harness::Entrant krg_of(const harness::Settings& settings, const std::string& folder) {
  return {"krg", [&settings, folder] { return bench::mm_contestant(settings, folder); }};
}

harness::Match faults_match(const harness::Settings& settings, const std::string& folder) {
  using baseline::PageRow;
  return {.entrants = {krg_of(settings, folder),
                       {"uffd + raw UCX AM",
                        [&settings] { return baseline::page_fault(settings.transport); }}},
          .rows = {{"read_miss_4096", "us", job_of(PageRow::read_miss)},
                   {"write_miss_4096", "us", job_of(PageRow::write_miss)},
                   {"read_here_4096", "us", job_of(PageRow::read_here)},
                   {"write_upgrade_4096", "us", job_of(PageRow::write_upgrade)}}};
}

// All of a memory that another node has.
harness::Match streams_match(const harness::Settings& settings, const std::string& folder) {
  const auto floor = [&settings](bool warm) {
    return [&settings, warm] { return baseline::page_fault(settings.transport, warm); };
  };
  return {.entrants = {krg_of(settings, folder),
                       {"warm frames + UCX", floor(true)},
                       {"new frames + UCX", floor(false)}},
          .rows = {{"read_stream_64mib", "MB/s",
                    job_of(baseline::PageRow::stream, harness::Kind::bandwidth)}}};
}

// All of a memory that the node has, by a task that has not mapped it.
harness::Match mappings_match(const harness::Settings& settings, const std::string& folder) {
  return {.entrants = {krg_of(settings, folder),
                       {"uffd, warm frames",
                        [&settings] { return baseline::page_fault(settings.transport, true); }},
                       {"mapped memory", [] { return baseline::mapped_memory(); }}},
          .rows = {{"read_here_64mib", "MB/s",
                    job_of(baseline::PageRow::stream_here, harness::Kind::bandwidth)}}};
}

}  // namespace

int main(int argc, char** argv) {
  harness::Program program(
      "krg_mm_latency",
      "one thread that reads a userfaultfd, fetches the page by a raw UCX active message and maps "
      "it; krg is two tasks of two nodes, with the whole protocol");
  program.only_over({harness::Transport::shm, harness::Transport::tcp},
                    "it measures processes on this machine");
  program.sizes_are("bytes of a page: 4096", kPage, kPage);
  const harness::Settings& settings = program.parse(argc, argv);
  const Folder faults, streams, mappings;
  program.add(faults_match(settings, faults.path()));
  program.add(streams_match(settings, streams.path()));
  program.add(mappings_match(settings, mappings.path()));
  return program.run();
}
