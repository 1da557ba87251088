#include "cohorts.h"

#include <algorithm>

namespace krg::kddm {

bool Cohorts::may_go_on(SlotId slot) {
  const auto [at, begins] = windows_.try_emplace(slot.value, Window{reactor_.now() + kWindow});
  if (begins && !linked()) reactor_.add_timer(*this, Deadline(at->second.end));
  return !at->second.over;
}

void Cohorts::on_timer() noexcept {
  std::vector<SlotId> over;
  TimePoint next = Deadline::never().at();
  for (auto& [slot, window] : windows_) {
    if (window.over) continue;
    if (window.end <= reactor_.now()) {
      window.over = true;
      over.push_back(SlotId{slot});
    } else {
      next = std::min(next, window.end);
    }
  }
  if (next != Deadline::never().at()) reactor_.add_timer(*this, Deadline(next));
  // What is done then may begin other windows, or end these.
  for (const SlotId slot : over) over_(slot);
}

}  // namespace krg::kddm
