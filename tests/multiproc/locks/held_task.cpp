// held_task circle | line: two tasks that stay as they are until they are killed. circle: each has
// a mutex that the other waits for. line: rank 1 waits for rank 0's mutex, and rank 0 for nobody.
#include <krg/locks/mutex.h>
#include <krg/locks/rw_lock.h>
#include <unistd.h>

#include <cstdint>
#include <string>

#include "lock_task.h"

namespace {

using krg::must;
using krg::Mutex;
using krg::kddm::ObjectId;
using krg::testing::Task;

constexpr std::uint64_t kOfRank[] = {3, 4};

[[noreturn]] void stay() {
  for (;;) ::pause();
}

}  // namespace

int main(int argc, char** argv) {
  const std::string how = argc > 1 ? argv[1] : "";
  const int rank = krg::testing::number_of("KRG_RANK");
  if (rank < 0 || rank > 1 || (how != "circle" && how != "line")) return 2;
  const Task task;
  Mutex own(*task.locks, kOfRank[rank]), other(*task.locks, kOfRank[1 - rank]);
  const auto held = must(own.guard(), "its own mutex");
  const auto reads = must(krg::RwLock(*task.locks, 6).read(), "to read");
  // Numbers of its own for each way: they stay.
  const int ready = how == "line" ? 0 : 2;
  task.write(ObjectId{static_cast<std::uint64_t>(ready + rank)}, 1);
  task.wait_for(ObjectId{static_cast<std::uint64_t>(ready + 1 - rank)});
  if (how == "line" && rank == 0) stay();
  must(other.lock(), "the other's mutex");
  return 1;  // It can not be had.
}
