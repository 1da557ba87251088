#include "data_area.h"

#include <fcntl.h>
#include <linux/falloc.h>

#include <algorithm>

#include "krg/base/assert.h"

namespace krg::kddm {

DataArea::DataArea(int fd, std::uint64_t offset, std::uint64_t bytes)
    : fd_(fd),
      offset_(offset),
      kept_max_(std::max(kKeptPages, bytes / kStorePage / kKeptPart)),
      extents_(bytes / kStorePage) {}

// kClasses.size(): whole pages.
std::size_t DataArea::class_of(std::uint64_t bytes) noexcept {
  return static_cast<std::size_t>(std::lower_bound(kClasses.begin(), kClasses.end(), bytes) -
                                  kClasses.begin());
}

std::uint64_t DataArea::capacity_of(std::uint64_t bytes) noexcept {
  const std::size_t c = class_of(bytes);
  if (c < kClasses.size()) return kClasses[c];
  return (bytes + kStorePage - 1) / kStorePage * kStorePage;
}

std::optional<DataArea::Place> DataArea::take(std::uint64_t bytes) {
  const std::size_t c = class_of(bytes);
  if (c < kClasses.size()) return take_block(c);
  const std::uint64_t capacity = capacity_of(bytes);
  const auto offset = take_pages(capacity / kStorePage);
  if (!offset) return std::nullopt;
  return Place{*offset, capacity};
}

void DataArea::release(Place place) {
  if (place.capacity < kStorePage) return release_block(place);
  release_pages(place.offset, place.capacity / kStorePage);
}

std::optional<DataArea::Place> DataArea::take_block(std::size_t class_index) {
  auto& with_room = with_room_[class_index];
  if (with_room.empty()) {
    const auto offset = take_pages(kRunPages);
    if (!offset) return std::nullopt;
    runs_[*offset].class_index = class_index;
    with_room.insert(*offset);
  }
  const std::uint64_t offset = *with_room.begin();
  Run& run = runs_.find(offset)->second;
  std::size_t block = run.first_free;
  while (run.used[block]) ++block;
  run.used.set(block);
  run.first_free = block + 1;
  if (++run.taken == blocks_of(run)) with_room.erase(offset);
  return Place{offset + block * kClasses[class_index], kClasses[class_index]};
}

void DataArea::release_block(Place place) {
  auto at = runs_.upper_bound(place.offset);
  KRG_ASSERT(at != runs_.begin());
  --at;
  const std::uint64_t offset = at->first;
  Run& run = at->second;
  const std::size_t block = (place.offset - offset) / place.capacity;
  KRG_ASSERT(kClasses[run.class_index] == place.capacity && block < blocks_of(run));
  KRG_ASSERT(run.used[block]);
  run.used.reset(block);
  run.first_free = std::min(run.first_free, block);
  auto& with_room = with_room_[run.class_index];
  with_room.insert(offset);
  // The last run of a class with room stays: else one object that comes and goes would move it.
  if (--run.taken > 0 || with_room.size() == 1) return;
  with_room.erase(offset);
  runs_.erase(at);
  release_pages(offset, kRunPages);
}

std::optional<std::uint64_t> DataArea::take_pages(std::uint64_t pages) {
  const std::uint64_t first = extents_.take(pages);
  if (first == Extents::kNone) return std::nullopt;
  return first * kStorePage;
}

void DataArea::release_pages(std::uint64_t offset, std::uint64_t pages) {
  extents_.give(offset / kStorePage, pages);
  maybe_kept_ += pages;
  if (maybe_kept_ > kept_max_) give_back();
}

void DataArea::give_back() noexcept {
  maybe_kept_ = 0;
  extents_.each_free([this](std::uint64_t first, std::uint64_t pages) {
    // If it fails the memory stays ours: no harm.
    (void)::fallocate(fd_, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                      static_cast<off_t>(offset_ + first * kStorePage),
                      static_cast<off_t>(pages * kStorePage));
  });
}

}  // namespace krg::kddm
