// Tasks that use more of a region than the budget of their node holds.
//   fits N     rank 0 writes N pages, each with a pattern of its own, and reads all of them twice;
//              the others wait
//   grows N    the same, and writes them once more between the two
#include <cstring>
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

void fill(const krg::Region& region, std::size_t pages, std::uint64_t round) {
  for (std::size_t page = 0; page < pages; ++page) {
    for (std::size_t k = 0; k < kWords; ++k) words(region, page)[k] = pattern(page, k, round);
  }
}

std::size_t wrong(const krg::Region& region, std::size_t pages, std::uint64_t round) {
  std::size_t bad = 0;
  for (std::size_t page = 0; page < pages; ++page) {
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

}  // namespace

int main(int argc, char** argv) {
  const std::string kind = argc > 1 ? argv[1] : "fits";
  const std::size_t pages = argc > 2 ? std::strtoul(argv[2], nullptr, 10) : 1024;
  const krg::Region hall = must(krg::Region::open("pressure.hall", 4096), "the hall");
  Meeting all(hall, 0);
  int how = 0;
  if (rank_of_this() == 0) {
    const krg::Region region =
        must(krg::Region::open("pressure." + kind, pages * 4096), "the region");
    how = use(region, pages, kind == "grows");
    if (how == 0) std::printf("right\n");
  }
  all.meet();
  return how;
}
