// Two ranks on two nodes write one page in turn, and read one that nobody writes. Ends with
// "right".
#include "region_task.h"

int main() {
  constexpr std::uint64_t kTimes = 200;
  const krg::Region region = must(krg::Region::open("hot.region", 64 * 4096), "the region");
  const unsigned rank = rank_of_this();
  for (std::uint64_t i = rank; i < kTimes; i += ranks()) {
    wait_until([&] { return word(region, 7).load() >= i; });
    word(region, 7).store(i + 1);
    if (word(region, 9).load() != 0) return 1;
  }
  wait_until([&] { return word(region, 7).load() == kTimes; });
  std::puts("right");
  return 0;
}
