// A task of a node that leases by itself what its node has, and by its krgd what it has not.
#include <unistd.h>

#include <array>
#include <cstring>
#include <utility>

#include "kddm_cluster.h"
#include "krg/share/local_store.h"

namespace krg::kddm {
namespace {

using namespace std::chrono_literals;

class Tasks : public ::testing::Test {
 protected:
  Tasks() {
    SetOptions options;
    options.object_bytes = 4096;
    set_ = *cluster_.run(0, cluster_.kddm(0).create(options, cluster_.soon()));
    local_ = attach(0);
  }

  std::unique_ptr<LocalStore> attach(std::uint32_t node) {
    NodeStore& store = cluster_.store(node);
    LocalStore::Pass pass;
    pass.directory = UniqueFd(::dup(store.directory_fd()));
    pass.shared = UniqueFd(::dup(store.shared_fd()));
    pass.geometry = store.geometry();
    task_ = *store.attach();
    pass.task = task_;
    auto made = LocalStore::open(std::move(pass), {ring, this});
    KRG_ASSERT(made);
    return std::move(*made);
  }
  static void ring(void* who) noexcept { ++static_cast<Tasks*>(who)->rings_; }

  Result<Grant> ask(LeaseKind kind, ObjectId object) { return ask_for(task_, kind, object); }
  Result<Grant> ask_for(TaskIndex task, LeaseKind kind, ObjectId object) {
    return cluster_.run(0, cluster_.kddm(0).lease_for(task, kind, set_, object, cluster_.within()));
  }
  // What node 1 reads, or how that failed.
  Result<std::byte> other_reads(ObjectId object, Duration limit) {
    return cluster_.run(
        1, first_byte(cluster_.kddm(1), set_, object, {Deadline(cluster_.world().now() + limit)}));
  }
  static Co<Result<std::byte>> first_byte(Kddm& kddm, SetId set, ObjectId object,
                                          OpOptions options) {
    KRG_CO_TRY_ASSIGN(const Lease lease, co_await kddm.get(set, object, options));
    co_return lease.bytes()[0];
  }
  static Co<Status> write_first(Kddm& kddm, SetId set, ObjectId object, std::byte value,
                                OpOptions options) {
    KRG_CO_TRY_ASSIGN(Lease lease, co_await kddm.grab(set, object, options));
    lease.writable()[0] = value;
    co_return Status();
  }
  Status other_writes(ObjectId object, std::byte value) {
    return cluster_.run(1, write_first(cluster_.kddm(1), set_, object, value, cluster_.within()));
  }

  KddmCluster cluster_{2, true};
  SetId set_;
  TaskIndex task_ = kNoTask;
  int rings_ = 0;
  std::unique_ptr<LocalStore> local_;
};

constexpr ObjectId kObject{5};

TEST_F(Tasks, AskOnceAndThenHitByThemselves) {
  EXPECT_FALSE(local_->try_write(set_, kObject));
  const auto grant = ask(LeaseKind::write, kObject);
  ASSERT_TRUE(grant) << grant.error().message();
  {
    WriteLease lease = local_->adopt_write(*grant);
    ASSERT_TRUE(lease) << name_of(lease.miss());
    ASSERT_EQ(lease.bytes().size(), 4096u);
    lease.bytes()[0] = std::byte{7};
  }
  for (int i = 0; i < 3; ++i) {
    WriteLease again = local_->try_write(set_, kObject);
    ASSERT_TRUE(again) << name_of(again.miss());
    again.bytes()[0] = static_cast<std::byte>(8 + i);
  }
  ReadLease read = local_->try_read(set_, kObject);
  ASSERT_TRUE(read);
  EXPECT_EQ(read.bytes()[0], std::byte{10});
  EXPECT_EQ(rings_, 0);
}

TEST_F(Tasks, WhatATaskWritesOtherNodesRead) {
  {
    WriteLease lease = local_->adopt_write(*ask(LeaseKind::write, kObject));
    lease.bytes()[0] = std::byte{1};
  }
  EXPECT_EQ(*other_reads(kObject, 5s), std::byte{1});
  // Both have a read copy now.
  EXPECT_TRUE(local_->try_read(set_, kObject));
  EXPECT_FALSE(local_->try_write(set_, kObject));
  ASSERT_TRUE(other_writes(kObject, std::byte{2}));
  EXPECT_FALSE(local_->try_read(set_, kObject)) << "the copy was invalidated";
  ReadLease lease = local_->adopt_read(*ask(LeaseKind::read, kObject));
  ASSERT_TRUE(lease);
  EXPECT_EQ(lease.bytes()[0], std::byte{2});
}

TEST_F(Tasks, OtherNodesWaitForATasksLease) {
  WriteLease lease = local_->adopt_write(*ask(LeaseKind::write, kObject));
  ASSERT_TRUE(lease);
  const auto late = other_reads(kObject, 200ms);
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code(), Errc::timed_out);
  lease.bytes()[0] = std::byte{9};
  lease.end();
  EXPECT_EQ(rings_, 1) << "somebody waits for it";
  cluster_.kddm(0).on_ring();
  EXPECT_EQ(*other_reads(kObject, 5s), std::byte{9});
}

TEST_F(Tasks, ATaskThatCanNotRingIsLookedAtAllTheSame) {
  WriteLease lease = local_->adopt_write(*ask(LeaseKind::write, kObject));
  std::optional<Result<std::byte>> read;
  cluster_.start(1, first_byte(cluster_.kddm(1), set_, kObject, cluster_.within()), read);
  cluster_.settle();
  EXPECT_FALSE(read);
  lease.end();
  cluster_.settle();
  ASSERT_TRUE(read);
  EXPECT_TRUE(*read);
}

TEST_F(Tasks, ADeadTasksLeasesEnd) {
  WriteLease lease = local_->adopt_write(*ask(LeaseKind::write, kObject));
  lease.bytes()[0] = std::byte{3};
  std::optional<Result<std::byte>> read;
  cluster_.start(1, first_byte(cluster_.kddm(1), set_, kObject, cluster_.within()), read);
  cluster_.settle();
  EXPECT_FALSE(read);
  cluster_.kddm(0).on_released(cluster_.store(0).release_all(task_));
  cluster_.settle();
  ASSERT_TRUE(read);
  EXPECT_EQ(**read, std::byte{3});
}

TEST_F(Tasks, SeveralReadAndAWriterOfTheNodeWaits) {
  { WriteLease lease = local_->adopt_write(*ask(LeaseKind::write, kObject)); }
  ReadLease first = local_->try_read(set_, kObject);
  ReadLease second = local_->try_read(set_, kObject);
  ASSERT_TRUE(first && second);
  EXPECT_FALSE(local_->try_write(set_, kObject));
  std::optional<Result<Grant>> grant;
  cluster_.start(
      0, cluster_.kddm(0).lease_for(task_, LeaseKind::write, set_, kObject, cluster_.within()),
      grant);
  cluster_.settle();
  EXPECT_FALSE(grant);
  EXPECT_FALSE(local_->try_read(set_, kObject)) << "no new reader before a writer that waits";
  first.end();
  second.end();
  EXPECT_GE(rings_, 1);
  cluster_.kddm(0).on_ring();
  cluster_.settle();
  ASSERT_TRUE(grant && *grant);
  EXPECT_TRUE(local_->adopt_write(**grant));
}

TEST_F(Tasks, AnObjectAtRestIsKnownInViewChangesAndWhenItsSetGoes) {
  for (std::uint64_t i = 0; i < 8; ++i) {
    WriteLease lease = local_->adopt_write(*ask(LeaseKind::write, ObjectId{i}));
    ASSERT_TRUE(lease);
    lease.bytes()[0] = static_cast<std::byte>(i + 1);
  }
  const auto here = [&] {
    std::vector<ObjectId> objects;
    for (const ObjectState& state : cluster_.kddm(0).dump()) {
      if (state.set == set_ && state.holder.copy == Copy::write) {
        EXPECT_EQ(state.size, 4096u);
        objects.push_back(state.object);
      }
    }
    return objects.size();
  };
  EXPECT_EQ(here(), 8u);
  cluster_.enter(cluster::NodeSet::first(2));
  cluster_.settle();
  EXPECT_EQ(here(), 8u);
  EXPECT_TRUE(cluster_.kddm(0).find(set_, ObjectId{3}));
  for (std::uint64_t i = 0; i < 8; i += 2) {
    EXPECT_EQ(*other_reads(ObjectId{i}, 5s), static_cast<std::byte>(i + 1));
  }
  EXPECT_EQ(here(), 4u);
  ASSERT_TRUE(cluster_.run(1, cluster_.kddm(1).destroy(set_, cluster_.soon())));
  cluster_.settle();
  for (std::uint64_t i = 0; i < 8; ++i) {
    EXPECT_EQ(cluster_.store(0).find(set_, ObjectId{i}), kNoSlot);
  }
}

TEST_F(Tasks, ADestroyedSetsLeasesEndInPeace) {
  WriteLease lease = local_->adopt_write(*ask(LeaseKind::write, kObject));
  ASSERT_TRUE(cluster_.run(1, cluster_.kddm(1).destroy(set_, cluster_.soon())));
  lease.bytes()[100] = std::byte{1};
  lease.end();
  cluster_.kddm(0).on_ring();
  cluster_.settle();
  EXPECT_EQ(cluster_.store(0).find(set_, kObject), kNoSlot);
  EXPECT_EQ(ask(LeaseKind::read, kObject).error().code(), Errc::not_found);
}

TEST_F(Tasks, TheVersionGoesOnWhereATaskLeftIt) {
  for (int i = 0; i < 5; ++i) {
    WriteLease lease = local_->try_write(set_, kObject);
    if (!lease) {
      WriteLease granted = local_->adopt_write(*ask(LeaseKind::write, kObject));
      ASSERT_TRUE(granted);
    }
  }
  ASSERT_EQ(*other_reads(kObject, 5s), std::byte{0});
  std::uint64_t here = 0, there = 1;
  for (const ObjectState& state : cluster_.kddm(0).dump()) {
    if (state.set == set_ && state.object == kObject) here = state.holder.version;
  }
  for (const ObjectState& state : cluster_.kddm(1).dump()) {
    if (state.set == set_ && state.object == kObject) there = state.holder.version;
  }
  EXPECT_EQ(here, there);
  EXPECT_GE(here, 6u) << "the first touch and five writes";
}

// A task that reads and writes one object, by itself or by a call, and is in no hurry.
struct Player {
  bool holds() const { return static_cast<bool>(reads) || static_cast<bool>(writes); }
  void end() {
    reads.end();
    writes.end();
  }
  // Takes over what was granted. Whether nothing was wrong with it.
  bool take() {
    if (!asked) return true;
    asking = false;
    const Result<Grant> grant = *std::exchange(asked, std::nullopt);
    if (!grant) return false;
    if (grant->kind == LeaseKind::read) {
      reads = store->adopt_read(*grant);
    } else {
      writes = store->adopt_write(*grant);
    }
    return holds();
  }

  std::unique_ptr<LocalStore> store;
  TaskIndex task = kNoTask;
  ReadLease reads;
  WriteLease writes;
  std::optional<Result<Grant>> asked;
  bool asking = false;
};

TEST_F(Tasks, WhoWaitsBehindAWriterIsWokenByIt) {
  std::array<Player, 3> players;
  for (Player& player : players) {
    player.store = attach(0);
    player.task = task_;
  }
  auto& [first, writer, reader] = players;
  first.writes = first.store->adopt_write(*ask_for(first.task, LeaseKind::write, kObject));
  ASSERT_TRUE(first.holds());
  for (Player* const player : {&writer, &reader}) {
    const auto kind = player == &writer ? LeaseKind::write : LeaseKind::read;
    cluster_.start(0,
                   cluster_.kddm(0).lease_for(player->task, kind, set_, kObject, cluster_.within()),
                   player->asked);
    cluster_.settle();
  }
  first.end();
  cluster_.kddm(0).on_ring();
  cluster_.settle();
  ASSERT_TRUE(writer.asked);
  ASSERT_TRUE(writer.take());
  ASSERT_FALSE(reader.asked);
  rings_ = 0;
  writer.end();
  EXPECT_GE(rings_, 1);
  cluster_.kddm(0).on_ring();
  cluster_.settle();
  ASSERT_TRUE(reader.asked);
  EXPECT_TRUE(reader.take());
}

// Goal    nobody waits for ever when several tasks of a node want the same object.
// Method  three tasks take turns by chance: a hit, a call, the end of a lease; another node writes
//         now and then. In the end all leases end, and every call must have been answered.
TEST_F(Tasks, AllWhoWantAnObjectGetIt) {
  std::array<Player, 3> players;
  for (Player& player : players) {
    player.store = attach(0);
    player.task = task_;
  }
  sim::Random& random = cluster_.world().random();
  const auto never = [&] { return OpOptions{Deadline(cluster_.world().now() + 3600s)}; };
  const auto want = [&](Player& player) {
    const auto kind = random.below(2) == 0 ? LeaseKind::read : LeaseKind::write;
    if (kind == LeaseKind::read) {
      player.reads = player.store->try_read(set_, kObject);
    } else {
      player.writes = player.store->try_write(set_, kObject);
    }
    if (player.holds()) return;
    player.asking = true;
    cluster_.start(0, cluster_.kddm(0).lease_for(player.task, kind, set_, kObject, never()),
                   player.asked);
  };
  const auto heed_bell = [&] {
    if (std::exchange(rings_, 0) > 0) cluster_.kddm(0).on_ring();
  };
  std::optional<Status> other = Status();
  for (int i = 0; i < 20000; ++i) {
    Player& player = players[random.below(players.size())];
    ASSERT_TRUE(player.take());
    if (player.holds()) {
      player.end();
    } else if (!player.asking) {
      want(player);
    }
    if (random.below(2) == 0) heed_bell();
    if (random.below(2) == 0) cluster_.world().run_for(Duration(random.below(100'000)));
    if (random.below(50) == 0 && other) {
      other.reset();
      cluster_.start(1, write_first(cluster_.kddm(1), set_, kObject, std::byte{1}, never()), other);
    }
  }
  for (std::size_t i = 0; i <= players.size(); ++i) {
    for (Player& player : players) {
      ASSERT_TRUE(player.take());
      player.end();
    }
    heed_bell();
    cluster_.settle();
  }
  for (const Player& player : players) EXPECT_FALSE(player.asking) << "a call was never answered";
}

// A lock of node 0 that tasks there fight for, and that node 1 asks for.
class Cohort : public Tasks {
 protected:
  Cohort() {
    SetOptions options;
    options.object_bytes = 64;
    options.flags = static_cast<std::uint32_t>(SetFlag::locks);
    set_ = *cluster_.run(0, cluster_.kddm(0).create(options, cluster_.soon()));
    lease_ = local_->adopt_write(*ask(LeaseKind::write, kObject));
  }
  void other_asks() {
    cluster_.start(1, write_first(cluster_.kddm(1), set_, kObject, std::byte{1}, cluster_.within()),
                   written_);
  }
  void pass(Duration time) { cluster_.world().run_for(time); }

  WriteLease lease_;
  std::optional<Status> written_;
};

TEST_F(Cohort, ALockThatTasksSleepForStaysForAWindow) {
  cluster_.store(0).fight_for(lease_.slot());
  other_asks();
  pass(500us);
  EXPECT_FALSE(written_);
  for (int i = 0; i < 3; ++i) {
    lease_.end();
    lease_ = local_->try_write(set_, kObject);
    ASSERT_TRUE(lease_) << name_of(lease_.miss()) << ": handed around within the node";
  }
  EXPECT_EQ(rings_, 0);
  pass(5ms);
  lease_.end();
  EXPECT_EQ(rings_, 1) << "the window is over";
  EXPECT_EQ(local_->try_write(set_, kObject).miss(), Miss::contended);
  cluster_.kddm(0).on_ring();
  pass(5ms);
  EXPECT_TRUE(written_ && *written_);
}

TEST_F(Cohort, AnIdleLockOfACohortGoesWhenTheWindowIsOver) {
  cluster_.store(0).fight_for(lease_.slot());
  lease_.end();
  other_asks();
  pass(100us);
  EXPECT_TRUE(local_->try_write(set_, kObject)) << "still open to the node's tasks";
  pass(10ms);
  EXPECT_TRUE(written_ && *written_);
}

TEST_F(Cohort, ALockThatNobodySleepsForGoesAtOnce) {
  other_asks();
  pass(500us);
  EXPECT_EQ(local_->try_write(set_, kObject).miss(), Miss::contended);
  lease_.end();
  EXPECT_EQ(rings_, 1);
  cluster_.kddm(0).on_ring();
  pass(500us);
  EXPECT_TRUE(written_ && *written_);
}

}  // namespace
}  // namespace krg::kddm
