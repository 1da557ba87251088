#include "krg/gate/lane.h"

namespace krg::gate {

void free_slot(Lane& lane, unsigned slot) noexcept {
  lane.free.fetch_or(std::uint64_t{1} << slot);
  if (lane.waiting.load() == 0) return;
  lane.freed.fetch_add(1);
  shm::futex_wake(lane.freed, 1);
}

}  // namespace krg::gate
