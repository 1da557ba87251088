// Goal    a full node gives away the pages that its users do not use, keeps those that they use,
//         and those that are to stay; and never looks at all of them at once.
// Method  a residence whose users touch pages without leases, as tasks that map them do.
#include <array>
#include <vector>

#include "kddm_cluster.h"

namespace krg::kddm {
namespace {

constexpr std::uint64_t kPages = 4096;
constexpr std::uint64_t kBytes = 4096;

class Frames final : public Linker, public Residence {
 public:
  const char* name() const noexcept override { return "test.frames"; }
  Residence* residence() noexcept override { return this; }
  Co<Status> first_touch(SetId, ObjectId, Bytes) override { co_return Status(); }

  std::span<std::byte> place(SetId, ObjectId) noexcept override { return frame_; }
  void let_go(SetId) noexcept override {}
  void write(SetId, ObjectId, std::span<const std::byte>) noexcept override {}
  void read(SetId, ObjectId, std::span<std::byte> into) noexcept override {
    std::fill(into.begin(), into.end(), std::byte{0});
  }
  bool is_open(SetId, ObjectId object) const noexcept override { return open[object.value]; }
  void protect(SetId, ObjectId) noexcept override {}
  void vacate(SetId, ObjectId object) noexcept override { open[object.value] = false; }
  bool may_move(SetId, ObjectId) const noexcept override { return !stay; }
  void cool(SetId, ObjectId object) noexcept override {
    warm[object.value] = false;
    ++cooled;
  }
  bool is_warm(SetId, ObjectId object) const noexcept override { return warm[object.value]; }

  // A user that the page is open to touches it.
  bool touch(std::uint64_t page) {
    if (open[page]) warm[page] = true;
    return open[page];
  }

  std::vector<bool> open = std::vector<bool>(kPages), warm = std::vector<bool>(kPages);
  bool stay = false;
  std::uint64_t cooled = 0;

 private:
  std::array<std::byte, kBytes> frame_{};
};

class Pressure : public ::testing::Test {
 protected:
  // Of a node that has room for so many pages.
  static std::uint64_t room_for(std::uint64_t pages) { return pages * Block::footprint(kBytes); }

  Pressure() {
    for (std::uint32_t node = 0; node < 2; ++node) cluster_.kddm(node).add_linker(frames_[node]);
    SetOptions options;
    options.object_bytes = kBytes;
    options.object_count = kPages;
    options.linker = "test.frames";
    auto made = cluster_.run(0, cluster_.kddm(0).create(options, cluster_.soon()));
    KRG_ASSERT(made);
    set_ = *made;
  }

  Co<Status> fetch(std::uint64_t page) {
    const auto lease = co_await cluster_.kddm(0).grab(set_, ObjectId{page}, cluster_.within());
    if (!lease) co_return lease.error();
    frames_[0].open[page] = true;
    frames_[0].warm[page] = true;
    co_return Status();
  }
  Status use(std::uint64_t page) {
    return frames_[0].touch(page) ? Status() : cluster_.run(0, fetch(page));
  }
  std::uint64_t held() { return cluster_.kddm(0).memory_use().used / Block::footprint(kBytes); }

  std::array<Frames, 2> frames_;  // Outlive the cluster.
  KddmCluster cluster_{2, false, 1, {room_for(512), 0}};
  SetId set_;
};

TEST_F(Pressure, AFullNodeGivesPagesAwayAndKeepsToItsLimit) {
  for (std::uint64_t page = 0; page < kPages; ++page) {
    ASSERT_TRUE(use(page)) << page;
    ASSERT_LE(held(), 512u + 8);
  }
  EXPECT_GT(cluster_.kddm(0).memory_use().moved, kPages - 512 - 64);
  for (std::uint64_t page = 0; page < kPages; page += 7) ASSERT_TRUE(use(page)) << page;
}

TEST_F(Pressure, WhatIsUsedAllTheTimeStays) {
  constexpr std::uint64_t kFavourites = 64;
  std::uint64_t away = 0, uses = 0;
  for (std::uint64_t page = 0; page < kPages; ++page) {
    ASSERT_TRUE(use(page)) << page;
    // All of them between two pages that are not.
    for (std::uint64_t i = 0; i < std::min(page, kFavourites); ++i, ++uses) {
      away += frames_[0].open[i] ? 0 : 1;
      ASSERT_TRUE(use(i));
    }
  }
  EXPECT_LT(away, uses / 1000);
  EXPECT_GT(cluster_.kddm(0).memory_use().moved, kPages - 512 - 64);
}

TEST_F(Pressure, WhatIsToStayStaysAndTheNodeIsFull) {
  frames_[0].stay = true;
  std::uint64_t page = 0;
  Status how;
  while (page < kPages && how) how = use(page++);
  ASSERT_FALSE(how);
  EXPECT_EQ(how.error().code(), Errc::no_space);
  EXPECT_EQ(cluster_.kddm(0).memory_use().moved, 0u);
  for (std::uint64_t i = 0; i + 1 < page; ++i) EXPECT_TRUE(frames_[0].open[i]) << i;
}

TEST_F(Pressure, EachPageThatGoesHasAFewOthersLookedAt) {
  for (std::uint64_t page = 0; page < kPages; ++page) ASSERT_TRUE(use(page)) << page;
  EXPECT_LT(frames_[0].cooled, 3 * cluster_.kddm(0).memory_use().moved);
}

}  // namespace
}  // namespace krg::kddm
