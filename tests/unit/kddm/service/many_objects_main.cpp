// many_objects COUNT SIZE: what an object costs beside its bytes, in a node-shared store and on the
// heap. By hand, see docs/design/kddm.md.
#include <cstdio>
#include <cstdlib>

#include "many_objects.h"

int main(int argc, char** argv) {
  const long count = argc == 3 ? std::atol(argv[1]) : 0;
  const long size = argc == 3 ? std::atol(argv[2]) : -1;
  if (count <= 0 || count > 100'000'000 || size < 0 || size > 1'000'000) {
    std::fputs("usage: many_objects COUNT SIZE\n", stderr);
    return 2;
  }
  for (const bool stores : {true, false}) {
    const auto cost = krg::kddm::make_many_objects(static_cast<std::uint32_t>(count),
                                                   static_cast<std::uint64_t>(size), stores);
    if (!cost) {
      std::fprintf(stderr, "many_objects: %s\n", cost.error().message().c_str());
      return 1;
    }
    std::printf(
        "%ld objects of %ld bytes, %s: a copy %.1f bytes (segments %.1f, heap %.1f), "
        "a directory entry %.1f\n",
        count, size, stores ? "in a store" : "on the heap", cost->copy(), cost->store, cost->heap,
        cost->entry);
  }
}
