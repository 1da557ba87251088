// Tasks that use more of a region than the budget of their node holds: KIND PAGES BUDGET_MIB
//   fits     rank 0 writes all pages, each with a pattern of its own, and reads all of them twice;
//            the others wait
//   grows    the same, and writes them once more between the two
//   favours  reads some pages again and again while it goes through all others: few of those are
//            ever away
#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <string>

#include "region_task.h"

namespace {

constexpr std::size_t kWords = 4096 / sizeof(std::uint64_t);

// A mix of both, so that no page and no word is like another (splitmix64).
std::uint64_t pattern(std::uint64_t page, std::uint64_t k, std::uint64_t round) {
  std::uint64_t x = page * kWords + k + (round << 48);
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

std::uint64_t* words(const krg::Region& region, std::size_t page) {
  return reinterpret_cast<std::uint64_t*>(region.data() + page * 4096);
}

// This process's descriptor of what its node has of the largest region, which has so many bytes.
int memory_of(std::uint64_t bytes) {
  int found = -1;
  DIR* const fds = ::opendir("/proc/self/fd");
  for (const dirent* fd = ::readdir(fds); fd != nullptr; fd = ::readdir(fds)) {
    char target[64] = {};
    const std::string path = std::string("/proc/self/fd/") + fd->d_name;
    if (::readlink(path.c_str(), target, sizeof target - 1) < 0) continue;
    struct stat about {};
    const bool region = std::string(target).rfind("/memfd:krg.region", 0) == 0;
    if (!region || ::stat(path.c_str(), &about) != 0) continue;
    if (static_cast<std::uint64_t>(about.st_size) == bytes) found = std::atoi(fd->d_name);
  }
  ::closedir(fds);
  return found;
}

int memory = -1;

std::uint64_t resident_bytes() {
  struct stat about {};
  return ::fstat(memory, &about) == 0 ? static_cast<std::uint64_t>(about.st_blocks) * 512 : ~0ull;
}

// Whether the node has it not.
bool is_away(std::size_t page) {
  const auto at = static_cast<off_t>(page * 4096);
  return ::lseek(memory, at, SEEK_DATA) != at;
}

// Looked at now and then.
std::uint64_t most_resident = 0;
void look(std::size_t page) {
  if (page % 256 == 0) most_resident = std::max(most_resident, resident_bytes());
}

void fill(const krg::Region& region, std::size_t pages, std::uint64_t round) {
  for (std::size_t page = 0; page < pages; ++page) {
    look(page);
    for (std::size_t k = 0; k < kWords; ++k) words(region, page)[k] = pattern(page, k, round);
  }
}

std::size_t wrong(const krg::Region& region, std::size_t pages, std::uint64_t round) {
  std::size_t bad = 0;
  for (std::size_t page = 0; page < pages; ++page) {
    look(page);
    for (std::size_t k = 0; k < kWords; ++k) {
      bad += words(region, page)[k] != pattern(page, k, round) ? 1 : 0;
    }
  }
  return bad;
}

int report(const char* what, std::size_t bad, std::chrono::steady_clock::time_point begin) {
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(
      std::chrono::steady_clock::now() - begin);
  std::printf("%s: %zu words wrong, %d ms\n", what, bad, static_cast<int>(ms.count()));
  std::fflush(stdout);
  return bad == 0 ? 0 : 1;
}

int use(const krg::Region& region, std::size_t pages, bool again) {
  const auto begin = std::chrono::steady_clock::now();
  fill(region, pages, 1);
  report("written", 0, begin);
  int how = report("read", wrong(region, pages, 1), begin);
  if (again) {
    fill(region, pages, 2);
    report("written again", 0, begin);
  }
  how |= report("read again", wrong(region, pages, again ? 2 : 1), begin);
  return how;
}

// The favourites are a sixteenth of the pages, read once for every 64 others.
int favour(const krg::Region& region, std::size_t pages) {
  const std::size_t favourites = pages / 16;
  fill(region, pages, 1);
  std::size_t away = 0, reads = 0, bad = 0;
  for (std::size_t page = favourites; page < pages; ++page) {
    bad += words(region, page)[7] != pattern(page, 7, 1) ? 1 : 0;
    if (page % 64 != 0) continue;
    for (std::size_t i = 0; i < favourites; i += 8, ++reads) {
      away += is_away(i) ? 1 : 0;
      bad += words(region, i)[7] != pattern(i, 7, 1) ? 1 : 0;
    }
  }
  std::printf("favourites: %zu of %zu reads found them away\n", away, reads);
  // A choice that asked nobody what is used would find half of them away.
  return bad == 0 && away < reads / 8 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string kind = argc > 1 ? argv[1] : "fits";
  const std::size_t pages = argc > 2 ? std::strtoul(argv[2], nullptr, 10) : 1024;
  const std::size_t budget = (argc > 3 ? std::strtoul(argv[3], nullptr, 10) : 32) << 20;
  const krg::Region hall = must(krg::Region::open("pressure.hall", 4096), "the hall");
  Meeting all(hall, 0);
  int how = 0;
  if (rank_of_this() == 0) {
    const krg::Region region =
        must(krg::Region::open("pressure." + kind, pages * 4096), "the region");
    memory = memory_of(pages * 4096);
    if (memory < 0) return 1;
    how = kind == "favours" ? favour(region, pages) : use(region, pages, kind == "grows");
    std::printf("at most %zu KiB of it were here\n", static_cast<std::size_t>(most_resident >> 10));
    if (most_resident > budget + (2 << 20)) how = 1;
    if (how == 0) std::printf("right\n");
  }
  all.meet();
  return how;
}
