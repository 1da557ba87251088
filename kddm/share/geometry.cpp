#include "krg/share/geometry.h"

#include "krg/base/assert.h"
#include "krg/share/layout.h"

namespace krg::kddm {
namespace {

constexpr std::uint64_t whole_pages(std::uint64_t bytes) {
  return (bytes + kStorePage - 1) / kStorePage * kStorePage;
}

// What an object costs beside its bytes in the segments. The index has no more buckets than
// objects.
constexpr std::size_t kBytesPerObject = sizeof(Slot) + sizeof(Record) + sizeof(Bucket);
static_assert(kBytesPerObject <= 128);

}  // namespace

bool is_sound(const Geometry& g) noexcept {
  return g.slots > 0 && g.slots <= Geometry::kSlotsMax && g.tasks > 0 &&
         g.tasks <= Geometry::kTasksMax && g.data_bytes <= Geometry::kDataBytesMax &&
         g.data_bytes % kStorePage == 0;
}

DirectoryMap directory_map(const Geometry& geometry) noexcept {
  KRG_ASSERT(is_sound(geometry));
  DirectoryMap map;
  map.buckets = whole_pages(sizeof(DirectoryHeader));
  map.records = whole_pages(map.buckets + geometry.slots * sizeof(Bucket));
  map.bytes = whole_pages(map.records + geometry.slots * sizeof(Record));
  return map;
}

SharedMap shared_map(const Geometry& geometry) noexcept {
  KRG_ASSERT(is_sound(geometry));
  SharedMap map;
  map.tables = whole_pages(geometry.tasks * sizeof(LeaseCounts));
  map.slots = whole_pages(map.tables + geometry.tasks * sizeof(LeaseTable));
  map.data = whole_pages(map.slots + geometry.slots * sizeof(Slot));
  map.bytes = map.data + geometry.data_bytes;
  return map;
}

}  // namespace krg::kddm
