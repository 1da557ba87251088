#include "pins.h"

#include <algorithm>
#include <utility>

namespace krg::mm {

bool Pins::has(kddm::SetId set, Page page) const noexcept {
  const auto at = pins_.find(set);
  return at != pins_.end() && at->second.contains(page.value);
}

std::uint64_t Pins::next(kddm::SetId set, std::uint64_t first, std::uint64_t end) const noexcept {
  const auto at = pins_.find(set);
  if (at == pins_.end()) return end;
  const auto pin = at->second.lower_bound(first);
  return pin == at->second.end() ? end : std::min(pin->first, end);
}

void Pins::keep(kddm::SetId set, Page page, kddm::Lease lease, TimePoint until) {
  Pin& pin = pins_[set][page.value];
  if (!pin.lease) ++count_;
  pin = {std::move(lease), until};
}

void Pins::renew(kddm::SetId set, Page page, TimePoint until) noexcept {
  pins_[set][page.value].until = until;
}

void Pins::drop(kddm::SetId set, std::uint64_t first, std::uint64_t end) noexcept {
  const auto at = pins_.find(set);
  if (at == pins_.end()) return;
  OfRegion& pages = at->second;
  const auto begin = pages.lower_bound(first);
  const auto behind = pages.lower_bound(end);
  count_ -= static_cast<std::size_t>(std::distance(begin, behind));
  pages.erase(begin, behind);
  if (pages.empty()) pins_.erase(at);
}

void Pins::clear() noexcept {
  pins_.clear();
  count_ = 0;
}

}  // namespace krg::mm
