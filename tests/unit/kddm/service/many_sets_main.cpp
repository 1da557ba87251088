// many_sets COUNT: what so many sets cost. A million takes minutes: by hand, see
// docs/design/kddm.md.
#include <cstdio>
#include <cstdlib>

#include "many_sets.h"

int main(int argc, char** argv) {
  const long count = argc == 2 ? std::atol(argv[1]) : 0;
  if (count <= 0 || count > 100'000'000) {
    std::fputs("usage: many_sets COUNT\n", stderr);
    return 2;
  }
  const auto cost = krg::kddm::make_many_sets(static_cast<std::uint32_t>(count));
  if (!cost) {
    std::fprintf(stderr, "many_sets: %s\n", cost.error().message().c_str());
    return 1;
  }
  std::printf("%ld sets: %llu bytes a set on three nodes together, %.1f us to make one\n", count,
              static_cast<unsigned long long>(cost->bytes), cost->us);
}
