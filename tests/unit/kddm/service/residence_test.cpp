// Goal    copies in a residence are withdrawn from its users before another node gets them.
// Method  each node has memory whose users read and write what is open, without leases, whenever
//         they like; the test knows what was written last, and who has what open.
#include <array>
#include <cstring>
#include <map>
#include <random>

#include "kddm_cluster.h"

namespace krg::kddm {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t kPages = 6;

enum class Open : std::uint8_t { none, read, write };

class Pages final : public Linker, public Residence {
 public:
  const char* name() const noexcept override { return "test.pages"; }
  Residence* residence() noexcept override { return this; }

  std::span<std::byte> place(SetId, ObjectId object) noexcept override {
    if (full) return {};
    ++lent;
    return std::as_writable_bytes(std::span(&value[object.value], 1));
  }
  void let_go(SetId) noexcept override { --lent; }
  void write(SetId, ObjectId object, std::span<const std::byte> from) noexcept override {
    std::memcpy(&value[object.value], from.data(), from.size());
  }
  void read(SetId, ObjectId object, std::span<std::byte> into) noexcept override {
    std::memcpy(into.data(), &value[object.value], into.size());
  }
  bool is_open(SetId, ObjectId object) const noexcept override {
    return open[object.value] != Open::none;
  }
  void protect(SetId, ObjectId object) noexcept override {
    open[object.value] = std::min(open[object.value], Open::read);
    ++protects;
  }
  void vacate(SetId, ObjectId object) noexcept override {
    open[object.value] = Open::none;
    value[object.value] = 0xdeadu;  // Nobody may need it any more.
    ++vacated;
  }

  std::array<std::uint64_t, kPages> value{};
  std::array<Open, kPages> open{};
  bool full = false;
  long lent = 0;
  unsigned protects = 0, vacated = 0;
};

class Residents : public ::testing::Test {
 protected:
  Residents() {
    for (std::uint32_t node = 0; node < 3; ++node) cluster_.kddm(node).add_linker(pages_[node]);
    SetOptions options;
    options.object_bytes = sizeof(std::uint64_t);
    options.object_count = kPages;
    options.linker = "test.pages";
    auto made = cluster_.run(0, cluster_.kddm(0).create(options, cluster_.soon()));
    KRG_ASSERT(made);
    set_ = *made;
  }

  // As a pager does: lets its node's users in while it holds the lease.
  Co<Status> fetch(std::uint32_t node, std::uint64_t page, bool write) {
    Kddm& kddm = cluster_.kddm(node);
    const OpOptions within = cluster_.within();
    auto work =
        write ? kddm.grab(set_, ObjectId{page}, within) : kddm.get(set_, ObjectId{page}, within);
    const auto lease = co_await std::move(work);
    if (!lease) co_return lease.error();
    Open& open = pages_[node].open[page];
    open = std::max(open, write ? Open::write : Open::read);
    co_return Status();
  }
  bool can(std::uint32_t node, std::uint64_t page, bool write) const {
    return pages_[node].open[page] >= (write ? Open::write : Open::read);
  }
  void ensure(std::uint32_t node, std::uint64_t page, bool write) {
    if (can(node, page, write)) return;
    ASSERT_TRUE(cluster_.run(node, fetch(node, page, write)));
    ASSERT_TRUE(can(node, page, write));
  }
  void write(std::uint32_t node, std::uint64_t page, std::uint64_t value) {
    ensure(node, page, true);
    pages_[node].value[page] = last_[page] = value;
    for (std::uint32_t other = 0; other < 3; ++other) {
      if (other == node) continue;
      EXPECT_EQ(pages_[other].open[page], Open::none);
    }
  }
  void read(std::uint32_t node, std::uint64_t page) {
    ensure(node, page, false);
    EXPECT_EQ(pages_[node].value[page], last_[page]) << "page " << page << " node " << node;
  }

  std::array<Pages, 3> pages_;  // Outlive the cluster.
  KddmCluster cluster_{3};
  SetId set_;
  std::array<std::uint64_t, kPages> last_{};
};

TEST_F(Residents, WhatOneWritesTheOthersRead) {
  write(0, 1, 5);
  pages_[0].value[1] = last_[1] = 6;  // Without another word to kddm.
  read(1, 1);
  EXPECT_EQ(pages_[0].open[1], Open::read);
  read(2, 1);
  write(2, 1, 7);
  read(0, 1);
}

TEST_F(Residents, UsersOnAllNodesSeeOneOrder) {
  std::mt19937_64 random(7);
  for (int i = 0; i < 4000; ++i) {
    const auto node = static_cast<std::uint32_t>(random() % 3);
    const std::uint64_t page = random() % kPages;
    if (random() % 3 == 0) {
      write(node, page, random());
    } else {
      read(node, page);
    }
    if (HasFailure()) FAIL() << "step " << i;
  }
  EXPECT_GT(pages_[0].protects, 100u);
  EXPECT_GT(pages_[0].vacated, 100u);
}

TEST_F(Residents, ANodeWithoutRoomForThemKeepsThemOnTheHeap) {
  pages_[1].full = true;
  write(0, 0, 11);
  const auto lease = cluster_.run(1, cluster_.kddm(1).get(set_, ObjectId{0}, cluster_.within()));
  ASSERT_TRUE(lease);
  std::uint64_t found = 0;
  std::memcpy(&found, lease->bytes().data(), sizeof found);
  EXPECT_EQ(found, 11u);
}

TEST_F(Residents, AChangeOfViewTakesNothingThatStays) {
  for (std::uint64_t page = 0; page < kPages; ++page) write(page % 2, page, 100 + page);
  read(1, 0);
  cluster_.kill(2);
  cluster_.enter(cluster::NodeSet::first(2));
  cluster_.settle();
  for (std::uint64_t page = 0; page < kPages; ++page) {
    read(0, page);
    read(1, page);
    write(1, page, 200 + page);
    read(0, page);
  }
}

TEST_F(Residents, RemovedAndDestroyedPagesAreClosed) {
  write(0, 3, 1);
  read(1, 3);
  ASSERT_TRUE(cluster_.run(1, cluster_.kddm(1).remove(set_, ObjectId{3}, cluster_.within())));
  cluster_.settle();
  for (std::uint32_t node = 0; node < 3; ++node) EXPECT_EQ(pages_[node].open[3], Open::none);
  last_[3] = 0;
  read(2, 3);
  ASSERT_TRUE(cluster_.run(0, cluster_.kddm(0).destroy(set_, cluster_.soon())));
  cluster_.settle();
  for (std::uint32_t node = 0; node < 3; ++node) {
    for (const Open open : pages_[node].open) EXPECT_EQ(open, Open::none);
    EXPECT_EQ(pages_[node].lent, 0);
  }
}

TEST_F(Residents, TheyAreNotLeasedToTasks) {
  write(0, 2, 1);
  const auto grant = cluster_.run(0, cluster_.kddm(0).lease_for(TaskIndex{0}, LeaseKind::read, set_,
                                                                ObjectId{2}, cluster_.within()));
  ASSERT_FALSE(grant);
  EXPECT_EQ(grant.error().code(), Errc::not_supported);
}

}  // namespace
}  // namespace krg::kddm
