// pins.h: pages that stay on this node for a while, because their leases are kept.
//
// Model    a page is pinned until an instant. While it is, this node's tasks use it, and who wants
//          it elsewhere waits; so an instant there always is.
// Threads  owned by the reactor's thread.
// Blocks   never.
// Source   docs/design/mm.md, "What carries threads"
#pragma once

#include <map>
#include <unordered_map>

#include "krg/kddm/lease.h"
#include "krg/mm/pages.h"
#include "krg/reactor/reactor.h"

namespace krg::mm {

class Pins {
 public:
  std::size_t count() const noexcept { return count_; }
  bool has(kddm::SetId set, Page page) const noexcept;
  // The first pinned page of first ... end - 1; `end` if there is none.
  std::uint64_t next(kddm::SetId set, std::uint64_t first, std::uint64_t end) const noexcept;

  // Requires  the lease is of the page, for writing.
  void keep(kddm::SetId set, Page page, kddm::Lease lease, TimePoint until);
  // Of a page that is pinned.
  void renew(kddm::SetId set, Page page, TimePoint until) noexcept;
  // Pages first ... end - 1.
  void drop(kddm::SetId set, std::uint64_t first, std::uint64_t end) noexcept;
  void drop(kddm::SetId set) noexcept { drop(set, 0, ~std::uint64_t{0}); }
  // Those whose time is over, and those of regions of which `is_unused` says so.
  template <class IsUnused>
  void expire(TimePoint now, IsUnused&& is_unused) noexcept;
  void clear() noexcept;

 private:
  struct Pin {
    kddm::Lease lease;
    TimePoint until;
  };
  using OfRegion = std::map<std::uint64_t, Pin>;

  std::unordered_map<kddm::SetId, OfRegion> pins_;
  std::size_t count_ = 0;
};

template <class IsUnused>
void Pins::expire(TimePoint now, IsUnused&& is_unused) noexcept {
  for (auto& [set, pages] : pins_) {
    const bool unused = is_unused(set);
    count_ -=
        std::erase_if(pages, [&](const auto& one) { return unused || one.second.until <= now; });
  }
  std::erase_if(pins_, [](const auto& one) { return one.second.empty(); });
}

}  // namespace krg::mm
