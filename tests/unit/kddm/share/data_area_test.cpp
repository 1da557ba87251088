// Where the objects' bytes lie.

#include "data_area.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstring>
#include <map>
#include <random>
#include <vector>

#include "krg/shm/segment.h"
#include "krg/testing/matchers.h"
#include "krg/testing/seed.h"

namespace krg::kddm {
namespace {

constexpr std::uint64_t kBytes = 16u << 20;

// Goal    no two places overlap, each is large enough and aligned, and all comes back.
// Method  random takes and releases beside a map of what is taken; then all is released and the
//         whole area taken page by page.
TEST(DataArea, PlacesNeverOverlapAndComeBack) {
  auto segment = shm::Segment::create("area", kBytes);
  ASSERT_OK(segment);
  DataArea area(segment->fd(), 0, kBytes);
  std::mt19937_64 random(krg::testing::seed());
  std::map<std::uint64_t, DataArea::Place> taken;
  for (int step = 0; step < 30000; ++step) {
    if (!taken.empty() && random() % 2 == 0) {
      auto at = taken.lower_bound(random() % kBytes);
      if (at == taken.end()) at = taken.begin();
      area.release(at->second);
      taken.erase(at);
      continue;
    }
    const std::uint64_t bytes = 33 + random() % (random() % 10 == 0 ? 200000 : 5000);
    const auto place = area.take(bytes);
    if (!place) continue;
    ASSERT_GE(place->capacity, bytes);
    ASSERT_EQ(place->capacity, DataArea::capacity_of(bytes));
    ASSERT_EQ(place->offset % (bytes >= kStorePage ? kStorePage : 64), 0u);
    ASSERT_LE(place->offset + place->capacity, kBytes);
    const auto after = taken.lower_bound(place->offset);
    if (after != taken.end()) {
      ASSERT_LE(place->offset + place->capacity, after->first);
    }
    if (after != taken.begin()) {
      const DataArea::Place& before = std::prev(after)->second;
      ASSERT_LE(before.offset + before.capacity, place->offset);
    }
    taken[place->offset] = *place;
  }
  for (const auto& [offset, place] : taken) area.release(place);
  std::uint64_t pages = 0;
  while (area.take(kStorePage)) ++pages;
  // The last run of each class stays: at most one for each of them.
  EXPECT_GE(pages * kStorePage, kBytes - 20 * std::uint64_t{64 * 1024});
}

TEST(DataArea, AnEmptyAreaHasNoPlace) {
  DataArea area(-1, 0, 0);
  EXPECT_FALSE(area.take(64));
  EXPECT_FALSE(area.take(kStorePage));
}

TEST(DataArea, TheMemoryOfManyFreePagesGoesBackToTheSystem) {
  constexpr std::uint64_t kMany = 64u << 20;
  auto segment = shm::Segment::create("area", kMany);
  ASSERT_OK(segment);
  DataArea area(segment->fd(), 0, kMany);
  const auto memory = [&] {
    struct stat info {};
    EXPECT_EQ(::fstat(segment->fd(), &info), 0);
    return static_cast<std::uint64_t>(info.st_blocks) * 512;
  };
  std::vector<DataArea::Place> places;
  for (int i = 0; i < 48; ++i) {
    places.push_back(*area.take(1 << 20));
    std::memset(segment->bytes().data() + places.back().offset, 1, 1 << 20);
  }
  EXPECT_GE(memory(), 48u << 20);
  for (const auto& place : places) area.release(place);
  EXPECT_LE(memory(), 8u << 20);
}

}  // namespace
}  // namespace krg::kddm
