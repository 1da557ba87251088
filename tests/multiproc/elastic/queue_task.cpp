// Takes pieces of work off a shared counter until PIECES are taken, some milliseconds for each,
// whatever tasks there are beside it, and says how many it did. Rank 0 waits until all are done and
// says so. The counter is in the set called NAME. usage: queue_task PIECES [NAME]
#include <krg/error/must.h>
#include <krg/task/space.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <thread>

namespace {

using namespace std::chrono_literals;
using krg::kddm::ObjectId;
using krg::kddm::SetId;
using krg::kddm::SetOptions;
using krg::kddm::Space;

constexpr ObjectId kTaken{0}, kDone{1};

// The counter's value before one was added, if that is below `limit`; else it stays.
std::int64_t add_below(Space& space, SetId set, ObjectId object, std::int64_t limit) {
  auto lease = must(space.grab(set, object), "a counter");
  std::int64_t value = 0;
  std::memcpy(&value, lease.bytes().data(), sizeof value);
  const std::int64_t next = value + (value < limit ? 1 : 0);
  std::memcpy(lease.bytes().data(), &next, sizeof next);
  return value;
}

std::int64_t read(Space& space, SetId set, ObjectId object) {
  const auto lease = must(space.get(set, object), "a counter");
  std::int64_t value = 0;
  std::memcpy(&value, lease.bytes().data(), sizeof value);
  return value;
}

}  // namespace

int main(int argc, char** argv) {
  const std::int64_t pieces = argc > 1 ? std::atoll(argv[1]) : 0;
  const char* const rank = std::getenv("KRG_RANK");
  const char* const node = std::getenv("KRG_NODE");
  if (pieces <= 0 || rank == nullptr || node == nullptr) return 2;

  const auto space = must(Space::connect(), "connecting to krgd");
  SetOptions options;
  options.object_bytes = sizeof(std::int64_t);
  const SetId set =
      must(space->open(argc > 2 ? argv[2] : "test.elastic_queue", options), "the queue");
  long mine = 0;
  for (; add_below(*space, set, kTaken, pieces) < pieces; ++mine) {
    std::this_thread::sleep_for(5ms);
    (void)add_below(*space, set, kDone, pieces);
  }
  std::printf("rank %s on node %s has done %ld pieces\n", rank, node, mine);
  if (std::strcmp(rank, "0") != 0) return 0;
  while (read(*space, set, kDone) < pieces) std::this_thread::sleep_for(2ms);
  std::printf("%lld pieces are done\n", static_cast<long long>(pieces));
  return 0;
}
