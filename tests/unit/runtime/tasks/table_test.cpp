#include "krg/tasks/table.h"

#include <gtest/gtest.h>

#include <map>

#include "krg/testing/matchers.h"

// Who is a task of a node, and what each may do, over a made-up tree of processes: krgd is 10, its
// ranks are 20 and 30.
namespace krg::tasks {
namespace {

using C = Capability;

class FakeProcesses final : public Processes {
 public:
  std::optional<proc::Process> find(pid_t pid) const override {
    const auto at = all_.find(pid);
    if (at == all_.end()) return std::nullopt;
    return at->second;
  }
  std::vector<proc::Process> all() const override {
    std::vector<proc::Process> all;
    for (const auto& [pid, process] : all_) all.push_back(process);
    return all;
  }
  void add(pid_t pid, pid_t parent, pid_t session) {
    all_[pid] = proc::Process{.pid = pid, .parent = parent, .session = session, .start = ++now_};
  }
  // Its children become krgd's.
  void end(pid_t pid) {
    all_.erase(pid);
    for (auto& [other, process] : all_) {
      if (process.parent == pid) process.parent = 10;
    }
  }

 private:
  std::map<pid_t, proc::Process> all_;
  std::uint64_t now_ = 0;
};

class TasksTable : public ::testing::Test {
 protected:
  void SetUp() override {
    processes_.add(1, 0, 1);
    processes_.add(10, 1, 10);
    processes_.add(20, 10, 20);
    processes_.add(30, 10, 30);
    processes_.add(40, 10, 40);  // Another krgd that 10 has started.
    table_.begin(20, Sets{});
    table_.begin(30, Sets{});
  }
  // `sets` without `what` in any of them.
  static Sets without(Sets sets, C what) {
    for (Set* const set : {&sets.permitted, &sets.effective, &sets.inheritable_permitted,
                           &sets.inheritable_effective}) {
      *set = set->without(what);
    }
    return sets;
  }

  FakeProcesses processes_;
  Table table_{processes_, 10};
};

TEST_F(TasksTable, KnowsRanksAndWhatComesFromThemAndNothingElse) {
  processes_.add(21, 20, 20);
  processes_.add(22, 21, 22);
  processes_.add(41, 40, 41);
  for (const pid_t pid : {20, 21, 22, 30}) EXPECT_TRUE(table_.find(pid)) << pid;
  for (const pid_t pid : {0, 1, 10, 40, 41, 99}) EXPECT_FALSE(table_.find(pid)) << pid;
  EXPECT_EQ(table_.all().size(), 4u);
  EXPECT_EQ(table_.sets_of(41).error(), Errc::not_found);
  EXPECT_FALSE(table_.can_use(10, C::can_migrate));
}

TEST_F(TasksTable, AnOrphanIsOfItsSessionsRankAlsoWhenThatIsGone) {
  processes_.add(21, 20, 20);
  processes_.add(22, 21, 20);
  processes_.end(21);
  EXPECT_TRUE(table_.find(22));
  processes_.end(20);
  processes_.add(23, 22, 20);
  EXPECT_TRUE(table_.find(23));
  EXPECT_FALSE(table_.find(20));
}

TEST_F(TasksTable, AChildHasWhatItsParentLeavesIt) {
  Sets sets;
  sets.inheritable_effective = Set{C::can_migrate};
  ASSERT_OK(table_.change(20, sets));
  processes_.add(21, 20, 20);
  EXPECT_TRUE(table_.can_use(20, C::checkpointable));
  EXPECT_TRUE(table_.can_use(21, C::can_migrate));
  EXPECT_FALSE(table_.can_use(21, C::checkpointable));
  processes_.add(22, 21, 20);
  EXPECT_EQ(*table_.sets_of(22), *table_.sets_of(21));
}

TEST_F(TasksTable, AChangeIsNoneOfChildrenThatAreThereAlready) {
  processes_.add(21, 20, 20);
  ASSERT_OK(table_.change(20, without(Sets{}, C::can_migrate)));
  processes_.add(22, 20, 20);
  EXPECT_TRUE(table_.can_use(21, C::can_migrate));
  EXPECT_FALSE(table_.can_use(20, C::can_migrate));
  EXPECT_FALSE(table_.can_use(22, C::can_migrate));
  EXPECT_TRUE(table_.can_use(30, C::can_migrate));
}

TEST_F(TasksTable, TheNextProcessOfANumberHasNothingOfTheLast) {
  ASSERT_OK(table_.change(20, without(Sets{}, C::can_migrate)));
  processes_.end(20);
  processes_.add(20, 30, 30);
  EXPECT_TRUE(table_.can_use(20, C::can_migrate));
}

TEST_F(TasksTable, WhatIsHeldCanNotBeDropped) {
  ASSERT_OK(table_.hold(20, C::can_migrate));
  ASSERT_OK(table_.hold(20, C::can_migrate));
  const Sets less = without(Sets{}, C::can_migrate);
  EXPECT_EQ(table_.change(20, less).error(), Errc::would_block);
  table_.release(20, C::can_migrate);
  EXPECT_EQ(table_.change(20, less).error(), Errc::would_block);
  EXPECT_OK(table_.change(20, without(Sets{}, C::checkpointable)));
  table_.release(20, C::can_migrate);
  EXPECT_OK(table_.change(20, less));
  EXPECT_EQ(table_.hold(20, C::can_migrate).error(), Errc::denied);
  table_.release(20, C::can_migrate);  // Of nobody: nothing happens.
}

TEST_F(TasksTable, WhatIsDisabledMayNotBeUsedUntilEnabledAsOften) {
  ASSERT_OK(table_.disable(20, C::checkpointable));
  ASSERT_OK(table_.disable(20, C::checkpointable));
  EXPECT_FALSE(table_.can_use(20, C::checkpointable));
  EXPECT_EQ(table_.hold(20, C::checkpointable).error(), Errc::denied);
  table_.enable(20, C::checkpointable);
  EXPECT_FALSE(table_.can_use(20, C::checkpointable));
  processes_.add(21, 20, 20);
  EXPECT_TRUE(table_.can_use(21, C::checkpointable)) << "a child begins anew";
  table_.enable(20, C::checkpointable);
  EXPECT_TRUE(table_.can_use(20, C::checkpointable));
}

TEST_F(TasksTable, ForgetsWhoHasEnded) {
  for (pid_t pid = 1000; pid < 3000; ++pid) {
    processes_.add(pid, 20, 20);
    EXPECT_TRUE(table_.find(pid));
    processes_.end(pid);
    if (pid % 100 == 0) static_cast<void>(table_.all());
  }
  EXPECT_LT(table_.size(), 600u);
  EXPECT_TRUE(table_.find(20));
}

}  // namespace
}  // namespace krg::tasks
