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

constexpr std::uint64_t detail_of(baseline::PageRow row) { return static_cast<std::uint64_t>(row); }

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

}  // namespace

int main(int argc, char** argv) {
  using baseline::PageRow;
  harness::Program program(
      "krg_mm_latency",
      "one thread that reads a userfaultfd, fetches the page by a raw UCX active message and maps "
      "it; krg is two tasks of two nodes, with the whole protocol");
  program.only_over({harness::Transport::shm, harness::Transport::tcp},
                    "it measures processes on this machine");
  program.sizes_are("bytes of a page: 4096", kPage, kPage);
  const harness::Settings& settings = program.parse(argc, argv);
  const Folder folder;
  harness::Match match;
  match.entrants.push_back({"krg", [&] { return bench::mm_contestant(settings, folder.path()); }});
  match.entrants.push_back(
      {"uffd + raw UCX AM", [&settings] { return baseline::page_fault(settings.transport); }});
  match.rows.push_back(
      {"read_miss_4096", "us", {.size = kPage, .detail = detail_of(PageRow::read_miss)}});
  match.rows.push_back(
      {"write_miss_4096", "us", {.size = kPage, .detail = detail_of(PageRow::write_miss)}});
  match.rows.push_back(
      {"read_here_4096", "us", {.size = kPage, .detail = detail_of(PageRow::read_here)}});
  match.rows.push_back(
      {"write_upgrade_4096", "us", {.size = kPage, .detail = detail_of(PageRow::write_upgrade)}});
  match.rows.push_back(
      {"read_stream_16mib", "MB/s", {.kind = harness::Kind::bandwidth, .size = kPage}});
  program.add(std::move(match));
  return program.run();
}
