#include "region_copy.h"

#include <algorithm>
#include <cstring>
#include <iterator>

#include "mutants.h"

namespace krg::mm {
namespace {

constexpr std::size_t kSpareTwins = 256;
// Pages that are looked at by one system call.
constexpr std::uint64_t kAtOnce = 16;

// Calls `of(first, count)` for runs of `pages`, which are in order.
template <class Of>
void for_runs(std::span<const Page> pages, std::uint64_t most, Of&& of) {
  for (std::size_t begin = 0; begin < pages.size();) {
    std::size_t end = begin + 1;
    while (end < pages.size() && end - begin < most &&
           pages[end].value == pages[end - 1].value + 1) {
      ++end;
    }
    of(pages[begin], end - begin);
    begin = end;
  }
}

}  // namespace

std::unique_ptr<RegionCopy::Twin> RegionCopy::take_twin() {
  if (spare_twins_.empty()) return std::make_unique<Twin>();
  std::unique_ptr<Twin> twin = std::move(spare_twins_.back());
  spare_twins_.pop_back();
  return twin;
}

void RegionCopy::give_twin(std::unique_ptr<Twin> twin) {
  if (spare_twins_.size() < kSpareTwins) spare_twins_.push_back(std::move(twin));
}

void RegionCopy::begin_writing(Region& region, Page page, std::uint64_t most) {
  for (std::uint64_t i = 0; i < most; ++i) {
    const Page at{page.value + i};
    const Access access = region.pages().access(at);
    if (access == Access::none || !region.is_inside(at)) return;
    if (access == Access::write) continue;
    // No task can write it: the twin is the page as it is.
    std::unique_ptr<Twin> twin = take_twin();
    region.read(at, *twin);
    written_[at] = {std::move(twin)};
    region.grant(at, Access::write);
  }
}

// --- Capturing ----------------------------------------------------------------------------------

// What its twin has not goes home, and is the twin from now on.
void RegionCopy::compare(Page page, PageView now) {
  Written& written = written_.find(page)->second;
  const std::size_t begin = outgoing_.bytes.size();
  if (!append_diff(page, *written.twin, now, outgoing_.bytes)) {
    ++written.idle;
    return;
  }
  if (has(Mutant::dropped_diff) && homeward_.contains(page)) {
    outgoing_.bytes.resize(begin);
  } else {
    outgoing_.parts.push_back({page, begin, outgoing_.bytes.size() - begin});
    ++homeward_[page];
  }
  if (!has(Mutant::stale_twin)) std::copy(now.begin(), now.end(), written.twin->begin());
  written.idle = 0;
  refreshed_.erase(page);
  const auto fetch = fetches_.find(page);
  if (fetch != fetches_.end()) fetch->second = true;
}

void RegionCopy::capture_run(Region& region, Page first, std::uint64_t count,
                             std::vector<Page>& idle) {
  std::array<std::byte, kAtOnce * kPageBytes> now;
  region.read(first, std::span(now).first(count * kPageBytes));
  for (std::uint64_t i = 0; i < count; ++i) {
    const Page page{first.value + i};
    compare(page, PageView(now.data() + i * kPageBytes, kPageBytes));
    Written& written = written_.find(page)->second;
    const bool is_quiet = ++written.quiet % kQuietLeast == 0;
    if (is_quiet || has(Mutant::hasty_alone)) quiet_.push_back(page);
    if (written.idle > kIdleMost) idle.push_back(page);
  }
}

void RegionCopy::capture(Region& region, std::span<const Page> pages) {
  std::vector<Page> dirty, idle;
  std::copy_if(pages.begin(), pages.end(), std::back_inserter(dirty),
               [&](Page page) { return written_.contains(page); });
  for_runs(dirty, kAtOnce,
           [&](Page first, std::uint64_t count) { capture_run(region, first, count, idle); });
  close(region, idle);
}

void RegionCopy::close(Region& region, std::span<const Page> pages) {
  std::vector<Page> dirty, unneeded;
  std::copy_if(pages.begin(), pages.end(), std::back_inserter(dirty),
               [&](Page page) { return written_.contains(page); });
  for_runs(dirty, kAtOnce, [&](Page first, std::uint64_t count) {
    region.protect(first, count);
    capture_run(region, first, count, unneeded);
  });
  for (const Page page : dirty) forget_twin(page);
}

std::vector<Page> RegionCopy::dirty() const {
  std::vector<Page> all;
  all.reserve(written_.size());
  for (const auto& [page, written] : written_) all.push_back(page);
  std::sort(all.begin(), all.end(), [](Page a, Page b) { return a.value < b.value; });
  return all;
}

// --- Dropping -----------------------------------------------------------------------------------

bool RegionCopy::may_stay(Page page, const std::vector<Page>* stale) {
  if (stale == nullptr || stale->size() >= kRefreshMost) return false;
  if (fetches_.contains(page) || homeward_.contains(page)) return false;
  return ++refreshed_[page] <= kUnseenMost;
}

void RegionCopy::drop(Region& region, const Stretch& pages, std::vector<Page>* stale) {
  std::vector<Page> here;
  const std::uint64_t end = std::min(pages.first.value + pages.count, region.pages().count());
  for (Page page = pages.first; page.value < end; ++page.value) {
    const bool is_here = region.pages().access(page) != Access::none;
    put_back(region, page);
    if (is_here && may_stay(page, stale)) {
      begin_fetch(page);
      stale->push_back(page);
      continue;
    }
    refreshed_.erase(page);
    const auto fetch = fetches_.find(page);
    if (fetch != fetches_.end()) fetch->second = true;
    if (is_here) here.push_back(page);
  }
  close(region, here);
  for_runs(here, here.size(),
           [&](Page first, std::uint64_t count) { region.vacate(first, count); });
}

void RegionCopy::trim(Region& region) {
  const Page end{region.state().bytes / kPageBytes};
  for (auto& [page, dropped] : fetches_) dropped |= page.value >= end.value;
  for (const Page page : region.pages().open_from(end)) {
    forget_twin(page);
    alone_.erase(page);
    refreshed_.erase(page);
    region.vacate(page);
  }
}

void RegionCopy::forget_twin(Page page) {
  const auto at = written_.find(page);
  if (at == written_.end()) return;
  give_twin(std::move(at->second.twin));
  written_.erase(at);
}

void RegionCopy::note_used(Page first, std::uint64_t count) noexcept {
  for (std::uint64_t i = 0; i < count && !refreshed_.empty(); ++i) {
    refreshed_.erase(Page{first.value + i});
  }
}

void RegionCopy::drop_fetches(const Stretch& pages) noexcept {
  for (auto& [page, dropped] : fetches_) {
    dropped |= page.value >= pages.first.value && page.value - pages.first.value < pages.count;
  }
}

// --- On the way ---------------------------------------------------------------------------------

void RegionCopy::arrived_home(const Outgoing& outgoing) {
  for (const Outgoing::Part& part : outgoing.parts) {
    const auto at = homeward_.find(part.page);
    if (--at->second == 0) homeward_.erase(at);
  }
}

bool RegionCopy::is_missing(const Region& region, Page page) const noexcept {
  return region.pages().access(page) == Access::none && region.is_inside(page) &&
         !fetches_.contains(page) && (!homeward_.contains(page) || has(Mutant::early_fetch));
}

void RegionCopy::renew(Region& region, Page page, PageView content) {
  const auto written = written_.find(page);
  if (written == written_.end()) return region.write(page, content);
  // Where the home differs from the twin another node has written, and no task of this one does.
  Twin& twin = *written->second.twin;
  std::byte* const at = region.address(page);
  for (std::size_t word = 0; word < kPageBytes; word += 8) {
    if (std::memcmp(&twin[word], &content[word], 8) == 0) continue;
    for (std::size_t i = word; i < word + 8; ++i) {
      if (twin[i] != content[i]) at[i] = twin[i] = content[i];
    }
  }
}

bool RegionCopy::end_fetch(Page page) noexcept {
  const auto at = fetches_.find(page);
  const bool dropped = at->second;
  fetches_.erase(at);
  return !dropped || has(Mutant::old_fetch);
}

}  // namespace krg::mm
