// Leases: who gets one, who does not and why, and what krgd sees.

#include <gmock/gmock.h>
#include <sys/wait.h>
#include <unistd.h>

#include <vector>

#include "fixture.h"
#include "krg/shm/futex.h"

#include <thread>

namespace krg::kddm {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(ShareLease, ReadersShareAndWritersDoNot) {
  Store s;
  const auto a = s.task();
  const auto b = s.task();
  const Handle handle = s.node.handle(s.make(ObjectId{1}, 64, Access::write));
  {
    const ReadLease one = a->store->try_read(handle);
    const ReadLease two = b->store->try_read(handle);
    EXPECT_TRUE(one);
    EXPECT_TRUE(two);
    EXPECT_EQ(b->store->try_write(handle).miss(), Miss::readers);
  }
  {
    WriteLease writer = a->store->try_write(handle);
    ASSERT_TRUE(writer);
    EXPECT_EQ(a->store->try_read(handle).miss(), Miss::writer);
    EXPECT_EQ(b->store->try_read(handle).miss(), Miss::writer);
    EXPECT_EQ(b->store->try_write(handle).miss(), Miss::writer);
    writer.bytes()[0] = std::byte{5};
  }
  const ReadLease after = b->store->try_read(handle);
  ASSERT_TRUE(after);
  EXPECT_EQ(after.bytes()[0], std::byte{5});
  EXPECT_EQ(a->rings + b->rings, 0);
}

TEST(ShareLease, TheAccessDecidesWhatIsALocalHit) {
  Store s;
  const auto task = s.task();
  const Handle read = s.node.handle(s.make(ObjectId{1}, 8, Access::read));
  const Handle none = s.node.handle(s.make(ObjectId{2}, 8, Access::none));
  EXPECT_TRUE(task->store->try_read(read));
  EXPECT_EQ(task->store->try_write(read).miss(), Miss::access);
  EXPECT_EQ(task->store->try_read(none).miss(), Miss::access);
  EXPECT_EQ(task->store->try_read(Handle{}).miss(), Miss::absent);
  EXPECT_EQ(task->store->try_read(kSet, ObjectId{3}).miss(), Miss::absent);
}

TEST(ShareLease, EachTaskCountsItsHitsByAllOfItsThreads) {
  Store s;
  const auto task = s.task(), other = s.task();
  const Handle handle = s.node.handle(s.make(ObjectId{1}, 8, Access::read));
  const auto read = [&] {
    for (int i = 0; i < 1000; ++i) static_cast<void>(task->store->try_read(handle));
  };
  std::thread first(read), second(read);
  first.join();
  second.join();
  EXPECT_FALSE(task->store->try_write(handle));
  EXPECT_EQ(task->store->hits().reads, 2000u);
  EXPECT_EQ(task->store->hits().writes, 0u) << "a miss is no hit";
  const Handle writable = s.node.handle(s.make(ObjectId{2}, 8, Access::write));
  static_cast<void>(other->store->try_write(writable));
  EXPECT_EQ(other->store->hits().writes, 1u);
  EXPECT_EQ(other->store->hits().reads, 0u);
}

TEST(ShareLease, EveryWriteCountsAndNoReadDoes) {
  Store s;
  const auto task = s.task();
  const SlotId slot = s.make(ObjectId{1}, 8, Access::write);
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(task->store->try_write(s.node.handle(slot)));
  ASSERT_TRUE(task->store->try_read(s.node.handle(slot)));
  EXPECT_EQ(s.node.freeze(slot).version, 3u);
  s.node.set_version(slot, 40);
  ASSERT_OK(s.node.thaw(slot, Access::write));
  ASSERT_TRUE(task->store->try_write(s.node.handle(slot)));
  EXPECT_EQ(s.node.freeze(slot).version, 41u);
}

// A reader that saw the word before it was frozen, and publishes its entry afterwards: it will see
// that it comes too late and give way, and is nobody's business meanwhile.
TEST(ShareLease, AFrozenObjectThatIsIdleStaysSoWhenAReaderComesTooLate) {
  Store s;
  const auto task = s.task();
  const SharedMap map = shared_map(s.node.geometry());
  const SlotId slot = s.make(ObjectId{1}, 8, Access::write);
  ASSERT_TRUE(task->store->try_read(s.node.handle(slot)));  // The word says `readers` now.
  ASSERT_TRUE(s.node.freeze(slot).idle());

  auto segment = shm::Segment::adopt(copy_of(s.node.shared_fd()), map.bytes);
  ASSERT_OK(segment);
  LeaseTable* const tables = segment->at(shm::Offset<LeaseTable>{map.tables}, 4);
  ASSERT_NE(tables, nullptr);
  LeaseEntry& entry = tables[task->index.value].entries[0];
  ASSERT_EQ(entry.load(), 0u);
  entry = lease_entry(slot, LeaseKind::read);

  EXPECT_TRUE(s.node.look(slot).idle());
  EXPECT_TRUE(s.node.freeze(slot).idle());
  EXPECT_OK(s.node.resize(slot, 100));
  ASSERT_OK(s.node.thaw(slot, Access::none));
  EXPECT_TRUE(s.node.freeze(slot).idle());
  const auto grant = s.node.grant(slot, task->index, LeaseKind::write);
  ASSERT_OK(grant);
  { const WriteLease lease = task->store->adopt_write(*grant); }
  EXPECT_TRUE(s.node.look(slot).idle());
  EXPECT_OK(s.node.free(slot));
}

TEST(ShareLease, AFrozenObjectWaitsForItsReadersWhoRing) {
  Store s;
  const auto task = s.task();
  const SlotId slot = s.make(ObjectId{1}, 8, Access::write);
  ReadLease one = task->store->try_read(s.node.handle(slot));
  ReadLease two = task->store->try_read(s.node.handle(slot));
  const Frozen frozen = s.node.freeze(slot);
  EXPECT_TRUE(frozen.readers);
  EXPECT_EQ(frozen.writer, kNoTask);
  EXPECT_EQ(task->store->try_read(s.node.handle(slot)).miss(), Miss::contended);
  EXPECT_EQ(task->store->try_write(s.node.handle(slot)).miss(), Miss::contended);
  EXPECT_ERROR(s.node.free(slot), Errc::would_block);
  EXPECT_ERROR(s.node.resize(slot, 9), Errc::would_block);
  EXPECT_ERROR(s.node.thaw(slot, Access::none), Errc::would_block);

  std::vector<SlotId> idle;
  one.end();
  EXPECT_EQ(task->rings, 1);
  s.node.sweep(idle);
  EXPECT_THAT(idle, IsEmpty());
  two.end();
  EXPECT_EQ(task->rings, 2);
  s.node.sweep(idle);
  EXPECT_THAT(idle, ElementsAre(slot));
  s.node.sweep(idle);
  EXPECT_THAT(idle, ElementsAre(slot)) << "told twice";
  EXPECT_EQ(s.node.waiting(), 0u);
  EXPECT_TRUE(s.node.look(slot).idle());
}

TEST(ShareLease, AFrozenObjectWaitsForItsWriterWhoRings) {
  Store s;
  const auto task = s.task();
  const SlotId slot = s.make(ObjectId{1}, 8, Access::write);
  WriteLease writer = task->store->try_write(s.node.handle(slot));
  const Frozen frozen = s.node.freeze(slot);
  EXPECT_EQ(frozen.writer, task->index);
  EXPECT_ERROR(s.node.thaw(slot, Access::read), Errc::would_block);
  writer.end();
  EXPECT_EQ(task->rings, 1);
  EXPECT_EQ(s.node.look(slot).version, 1u);
  ASSERT_OK(s.node.thaw(slot, Access::read));
  EXPECT_EQ(task->store->try_write(s.node.handle(slot)).miss(), Miss::access);
  EXPECT_TRUE(task->store->try_read(s.node.handle(slot)));
  EXPECT_EQ(task->rings, 1) << "nobody waits any more";
}

TEST(ShareLease, AWriterMayBecomeAReadCopyBesideItsReaders) {
  Store s;
  const auto task = s.task();
  const SlotId slot = s.make(ObjectId{1}, 8, Access::write);
  ReadLease reader = task->store->try_read(s.node.handle(slot));
  EXPECT_TRUE(s.node.freeze(slot).readers);
  ASSERT_OK(s.node.thaw(slot, Access::read));
  s.node.freeze(slot);
  ASSERT_OK(s.node.thaw(slot, Access::write));
  // That somebody reads has not been forgotten on the way.
  EXPECT_EQ(task->store->try_write(s.node.handle(slot)).miss(), Miss::readers);
  reader.end();
  EXPECT_TRUE(task->store->try_write(s.node.handle(slot)));
}

TEST(ShareLease, KrgdGrantsWhatATaskTakesOver) {
  Store s;
  const auto a = s.task();
  const auto b = s.task();
  const SlotId slot = s.make(ObjectId{1}, 8, Access::write);
  s.node.freeze(slot);
  const auto read_a = s.node.grant(slot, a->index, LeaseKind::read);
  const auto read_b = s.node.grant(slot, b->index, LeaseKind::read);
  ASSERT_OK(read_a);
  ASSERT_OK(read_b);
  EXPECT_ERROR(s.node.grant(slot, b->index, LeaseKind::write), Errc::would_block);
  EXPECT_FALSE(a->store->adopt_write(*read_a)) << "another kind";
  ReadLease one = a->store->adopt_read(*read_a);
  ReadLease two = b->store->adopt_read(*read_b);
  ASSERT_TRUE(one);
  ASSERT_TRUE(two);
  one.end();
  two.end();
  EXPECT_FALSE(a->store->adopt_read(*read_a)) << "it has ended";

  const auto write = s.node.grant(slot, a->index, LeaseKind::write);
  ASSERT_OK(write);
  EXPECT_ERROR(s.node.grant(slot, b->index, LeaseKind::read), Errc::would_block);
  EXPECT_EQ(s.node.look(slot).writer, a->index);
  ASSERT_OK(s.node.thaw(slot, Access::write));
  EXPECT_EQ(b->store->try_read(s.node.handle(slot)).miss(), Miss::writer);
  WriteLease writer = a->store->adopt_write(*write);
  ASSERT_TRUE(writer);
  writer.end();
  EXPECT_TRUE(b->store->try_read(s.node.handle(slot)));
  EXPECT_EQ(s.node.freeze(slot).version, 1u);
}

TEST(ShareLease, AGrantThatNobodyTakesOverIsWithdrawn) {
  Store s;
  const auto task = s.task();
  const SlotId slot = s.make(ObjectId{1}, 8, Access::write);
  s.node.freeze(slot);
  for (const LeaseKind kind : {LeaseKind::read, LeaseKind::write}) {
    const auto grant = s.node.grant(slot, task->index, kind);
    ASSERT_OK(grant);
    EXPECT_FALSE(s.node.look(slot).idle());
    s.node.withdraw(TaskIndex{3}, *grant);
    EXPECT_FALSE(s.node.look(slot).idle());
    s.node.withdraw(task->index, *grant);
    EXPECT_TRUE(s.node.look(slot).idle());
  }
  EXPECT_EQ(s.node.look(slot).version, 0u);
}

TEST(ShareLease, ATaskHoldsManyAtOnceButNotMoreThanItsTable) {
  Store s;
  const auto task = s.task();
  const SlotId slot = s.make(ObjectId{1}, 8, Access::read);
  std::vector<ReadLease> leases;
  while (ReadLease lease = task->store->try_read(s.node.handle(slot))) {
    leases.push_back(std::move(lease));
  }
  EXPECT_EQ(leases.size(), LeaseTable::kClaimed);
  EXPECT_EQ(task->store->try_read(s.node.handle(slot)).miss(), Miss::full);
  leases.erase(leases.begin() + 100);
  leases.push_back(task->store->try_read(s.node.handle(slot)));
  EXPECT_TRUE(leases.back());

  s.node.freeze(slot);
  std::size_t granted = 0;
  while (s.node.grant(slot, task->index, LeaseKind::read)) ++granted;
  EXPECT_EQ(granted, LeaseTable::kEntries - LeaseTable::kFirstGrant);
}

TEST(ShareLease, WhatADeadTaskHeldIsEnded) {
  Store s;
  const auto dead = s.task();
  const auto alive = s.task();
  const SlotId read = s.make(ObjectId{1}, 8, Access::write);
  const SlotId written = s.make(ObjectId{2}, 8, Access::write);
  const SlotId both = s.make(ObjectId{3}, 8, Access::write);
  ReadLease r1 = dead->store->try_read(s.node.handle(read));
  WriteLease w = dead->store->try_write(s.node.handle(written));
  ReadLease r2 = dead->store->try_read(s.node.handle(both));
  ReadLease r3 = alive->store->try_read(s.node.handle(both));
  for (const SlotId slot : {read, both}) s.node.freeze(slot);
  const NodeStore::Released released = s.node.release_all(dead->index);
  EXPECT_THAT(released.idle, ElementsAre(read));
  EXPECT_THAT(released.torn, ElementsAre(written));
  EXPECT_TRUE(alive->store->try_read(s.node.handle(written)));
  EXPECT_EQ(s.node.freeze(written).version, 1u);
  EXPECT_TRUE(s.node.look(both).readers);
  r3.end();
  EXPECT_TRUE(s.node.look(both).idle());

  // Its index is given again, with an empty table.
  const auto next = s.task();
  EXPECT_EQ(next->index, dead->index);
  EXPECT_EQ(s.node.tasks(), 2u);
  ASSERT_OK(s.node.thaw(read, Access::write));
  EXPECT_TRUE(next->store->try_write(s.node.handle(read)));
  // A real one would have died with its memory.
  EXPECT_EQ(s.node.freeze(written).version, 1u);
}

TEST(ShareLease, ThreadsOfKrgdAreATaskToo) {
  Store s;
  const auto krgd = s.task(Mapping::of_krgd);
  const auto task = s.task();
  const SlotId slot = s.make(ObjectId{1}, 8, Access::write);
  WriteLease writer = krgd->store->try_write(kSet, ObjectId{1});
  ASSERT_TRUE(writer);
  EXPECT_EQ(task->store->try_read(s.node.handle(slot)).miss(), Miss::writer);
  writer.bytes()[0] = std::byte{9};
  writer.end();
  EXPECT_EQ(task->store->try_read(s.node.handle(slot)).bytes()[0], std::byte{9});
}

TEST(ShareLease, AMovedLeaseEndsOnce) {
  Store s;
  const auto task = s.task();
  const SlotId one = s.make(ObjectId{1}, 8, Access::write);
  const SlotId two = s.make(ObjectId{2}, 8, Access::write);
  WriteLease a = task->store->try_write(s.node.handle(one));
  WriteLease b = std::move(a);
  EXPECT_FALSE(a);  // NOLINT: what a moved one is, is the question.
  b = task->store->try_write(s.node.handle(two));
  EXPECT_TRUE(s.node.freeze(one).idle());
  EXPECT_EQ(s.node.freeze(two).writer, task->index);
  b.end();
  b.end();
  EXPECT_EQ(s.node.look(two).version, 1u);
}

// Goal    a child of fork() neither gets nor ends a lease in its parent's name.
TEST(ShareLease, AChildHasNone) {
  Store s;
  const auto task = s.task();
  const SlotId slot = s.make(ObjectId{1}, 8, Access::write);
  WriteLease lease = task->store->try_write(s.node.handle(slot));
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    const bool forked = task->store->try_read(s.node.handle(slot)).miss() == Miss::forked &&
                        task->store->try_write(s.node.handle(slot)).miss() == Miss::forked;
    lease.end();
    ::_exit(forked ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(s.node.freeze(slot).writer, task->index);
}

Deadline within(Duration time) { return Deadline(shm::monotonic_now() + time); }

TEST(ShareLease, WhoSleepsForAWriterIsWokenByItsEnd) {
  Store s;
  const auto a = s.task();
  const auto b = s.task();
  const SlotId slot = s.make(ObjectId{1}, 64, Access::write);
  const Handle handle = s.node.handle(slot);
  for (int i = 0; i < 200; ++i) {
    WriteLease held = a->store->try_write(handle);
    ASSERT_TRUE(held);
    std::thread sleeper([&] {
      const WriteLease had = b->store->await_write(handle, within(std::chrono::seconds(20)));
      EXPECT_TRUE(had) << name_of(had.miss());
    });
    // Mostly before it sleeps, sometimes after.
    while (i % 4 == 0 && !s.node.is_fought_for(slot)) std::this_thread::yield();
    held.end();
    sleeper.join();
  }
  EXPECT_EQ(a->rings + b->rings, 0);
}

TEST(ShareLease, WhoSleepsGivesUpInTimeAndWhenKrgdTakesTheObject) {
  Store s;
  const auto a = s.task();
  const auto b = s.task();
  const SlotId slot = s.make(ObjectId{1}, 64, Access::write);
  const Handle handle = s.node.handle(slot);
  WriteLease held = a->store->try_write(handle);
  EXPECT_EQ(b->store->await_write(handle, within(std::chrono::milliseconds(2))).miss(),
            Miss::writer);
  std::thread sleeper([&] {
    const Miss why = b->store->await_write(handle, within(std::chrono::seconds(20))).miss();
    EXPECT_TRUE(why == Miss::contended || why == Miss::absent) << name_of(why);
  });
  s.node.freeze(slot);
  held.end();
  EXPECT_OK(s.node.free(slot));
  sleeper.join();
}

}  // namespace
}  // namespace krg::kddm
