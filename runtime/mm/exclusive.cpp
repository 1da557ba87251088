// Pages of release consistency that one node has alone.
//
// What has to hold: a node that has a copy of such a page, or is fetching one, will see a notice
// that names it, and asks at the page's home, which is here. Only then may stores go unnoticed. The
// notice is posted while the page is still an ordinary one; if anybody has asked since it was
// captured, it stays so.
#include <algorithm>
#include <cstring>
#include <utility>

#include "mutants.h"
#include "releases.h"

namespace krg::mm {
namespace {

constexpr Duration kAttempt = std::chrono::seconds(10);
// Before all nodes have the same view, not everybody asks the page's home.
constexpr Duration kSettled = std::chrono::seconds(1);
// Pages without a pause.
constexpr std::size_t kAtOnce = 64;

}  // namespace

// --- One region ---------------------------------------------------------------------------------

bool RegionCopy::may_be_alone(const Region& region, Page page) const noexcept {
  const auto at = written_.find(page);
  // With a diff on its way the object is older than the twin.
  return at != written_.end() && region.is_inside(page) && !homeward_.contains(page) &&
         (at->second.quiet >= kQuietLeast || has(Mutant::hasty_alone)) &&
         region.pages().access(page) == Access::write && !fetches_.contains(page);
}

void RegionCopy::make_alone(Region& region, Page page, kddm::Lease lease) {
  // What others have sent home and this node has not acquired yet would be lost with the object.
  if (!has(Mutant::unmerged_alone)) renew(region, page, lease.bytes().first<kPageBytes>());
  forget_twin(page);
  refreshed_.erase(page);
  alone_[page] = std::move(lease);
}

void RegionCopy::share(Region& region, Page page) {
  const auto written = written_.find(page);
  if (written != written_.end()) written->second.quiet = 0;
  const auto at = alone_.find(page);
  if (at == alone_.end()) return;
  // Stores that come meanwhile are not in the twin either: the next diff has them.
  std::unique_ptr<Twin> twin = take_twin();
  region.read(page, *twin);
  if (!has(Mutant::stale_share)) {
    std::copy(twin->begin(), twin->end(), at->second.writable().begin());
  }
  written_[page] = {std::move(twin)};
  alone_.erase(at);
}

// Nobody writes it any more, and the object has what was written.
void RegionCopy::put_back(Region& region, Page page) {
  const auto at = alone_.find(page);
  if (at == alone_.end()) return;
  region.protect(page, 1);
  region.read(page, at->second.writable());
  alone_.erase(at);
}

std::size_t RegionCopy::share_some(Region& region, std::size_t most) {
  std::size_t count = 0;
  for (; count < most && !alone_.empty(); ++count) put_back(region, alone_.begin()->first);
  return count;
}

// --- All of them --------------------------------------------------------------------------------

bool Releases::has_room() const noexcept {
  const kddm::MemoryUse use = pager_.kddm().memory_use();
  return use.limit == 0 || use.used < use.limit - use.limit / 8;
}

// After a capture.
Co<void> Releases::name_quiet(kddm::SetId set, Copy copy) {
  const std::vector<Page> quiet = copy->take_quiet();
  if (quiet.empty() || changing_ || pager_.reactor().now() < settled_at_) co_return;
  if (!has_room()) co_return;
  for (const Page page : quiet) {
    const kddm::ObjectId object{page.value};
    const Deadline deadline = pager_.reactor().after(kAttempt);
    const auto home = co_await pager_.kddm().home_of(set, object, deadline);
    if (home && *home == pager_.self()) copy->name(page);
  }
}

// After the notice.
Co<void> Releases::make_alone(kddm::SetId set, Copy copy, std::vector<Page> pages, Epoch epoch) {
  kddm::Kddm& kddm = pager_.kddm();
  for (std::size_t i = 0; i < pages.size(); ++i) {
    if (i % kAtOnce == kAtOnce - 1) co_await reactor::next_turn(pager_.reactor());
    const Page page = pages[i];
    Region* region = living(set);
    if (region == nullptr || changing_ || kddm.epoch() != epoch) co_return;
    if (!copy->may_be_alone(*region, page)) continue;
    const kddm::ObjectId object{page.value};
    const kddm::OpOptions options{.deadline = pager_.reactor().after(kAttempt)};
    const auto home = co_await kddm.home_of(set, object, options.deadline);
    auto lease = co_await kddm.grab(set, object, options);
    region = living(set);
    if (region == nullptr || changing_ || kddm.epoch() != epoch) co_return;
    if (!home || *home != pager_.self() || !lease || lease->bytes().size() != kPageBytes) continue;
    if (copy->may_be_alone(*region, page)) copy->make_alone(*region, page, std::move(*lease));
  }
}

std::size_t Releases::alone(kddm::SetId set) const noexcept {
  const auto copy = copies_.find(set);
  return copy == copies_.end() ? 0 : copy->second->alone();
}

void Releases::share(kddm::SetId set, Page page) {
  Region* const region = living(set);
  const auto copy = copies_.find(set);
  if (region != nullptr && copy != copies_.end()) copy->second->share(*region, page);
}

Co<Status> Releases::prepare(const cluster::ViewChange& change, Deadline) {
  changing_ = true;
  // Locks that were held here may not have been taken over.
  if (change.leaving.contains(pager_.self())) KRG_CO_TRY(co_await flush());
  for (bool more = true; more;) {
    more = false;
    for (const auto& [set, copy] : copies_) {
      Region* const region = living(set);
      if (region != nullptr && copy->share_some(*region, kAtOnce) > 0) more = true;
    }
    if (more) co_await reactor::next_turn(pager_.reactor());
  }
  co_return Status();
}

void Releases::abort(const cluster::ViewChange&) noexcept { changing_ = false; }

void Releases::commit(const cluster::ViewChange&) noexcept {
  changing_ = false;
  settled_at_ = pager_.reactor().now() + kSettled;
}

void Releases::stop() noexcept {
  for (const auto& [set, copy] : copies_) copy->forget_alone();
}

}  // namespace krg::mm
