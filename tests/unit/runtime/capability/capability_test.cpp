#include "krg/capability/capability.h"

#include <gtest/gtest.h>

#include <cerrno>

#include "krg/testing/matchers.h"

// Kerrighed's rules: what a child gets, what may be set, and which error comes first.
namespace krg::capability {
namespace {

using C = Capability;

constexpr Sets kAll{};

TEST(Capability, HasKerrighedsNamesAndNumbers) {
  EXPECT_EQ(name_of(C::change_kerrighed_cap), "CHANGE_KERRIGHED_CAP");
  EXPECT_EQ(name_of(C::use_remote_memory), "USE_REMOTE_MEMORY");
  EXPECT_EQ(name_of(C::syscall_exit_hook), "SYSCALL_EXIT_HOOK");
  EXPECT_EQ(Set{C::use_remote_memory}.bits, 1u << 5);
  EXPECT_EQ(Set{C::syscall_exit_hook}.bits, 1u << 11);
  for (std::size_t i = 0; i < kCapabilities; ++i) {
    const auto one = static_cast<C>(i);
    EXPECT_EQ(find(name_of(one)), one);
  }
  EXPECT_EQ(find("cap_can_migrate"), C::can_migrate);
  EXPECT_FALSE(find("CAP_"));
  EXPECT_FALSE(find(""));
  EXPECT_FALSE(find("CAN_MIGRATED"));
}

TEST(Capability, AJobHasEverythingUseful) {
  EXPECT_OK(check(kAll));
  EXPECT_TRUE(kAll.effective.has(C::can_migrate));
  EXPECT_TRUE(kAll.effective.has(C::checkpointable));
  EXPECT_FALSE(kAll.effective.has(C::see_local_proc_stat)) << "which takes something away";
  EXPECT_TRUE(kAll.permitted.has(C::see_local_proc_stat));
  EXPECT_EQ(forked(kAll), kAll) << "and so have its children";
}

TEST(Capability, AChildGetsWhatIsInheritable) {
  const Sets parent{kSupported,
                    {C::change_kerrighed_cap, C::can_migrate},
                    {C::change_kerrighed_cap, C::checkpointable},
                    {C::checkpointable}};
  const Sets child = forked(parent);
  EXPECT_EQ(child.permitted, parent.inheritable_permitted);
  EXPECT_EQ(child.effective, Set{C::checkpointable});
  EXPECT_EQ(child.inheritable_permitted, parent.inheritable_permitted);
  EXPECT_EQ(child.inheritable_effective, parent.inheritable_effective);
  EXPECT_EQ(forked(child), child);
}

TEST(Capability, AChangeTakesFromThePermittedAndAddsNothing) {
  Sets less = kAll;
  less.permitted = less.inheritable_permitted = Set{C::change_kerrighed_cap, C::can_migrate};
  less.effective = less.inheritable_effective = less.permitted;
  const auto after = change(kAll, less, Set());
  ASSERT_OK(after);
  EXPECT_EQ(*after, less);
  const auto back = change(*after, kAll, Set());
  ASSERT_OK(back);
  EXPECT_EQ(*back, less) << "what is gone is gone";
}

// Each error with all that would also be wrong behind it.
TEST(Capability, ErrorsComeInKerrighedsOrder) {
  Sets fixed = kAll;
  fixed.effective = fixed.effective.without(C::change_kerrighed_cap);
  Sets wanted = kAll;
  wanted.effective = wanted.effective.without(C::can_migrate).with(C::debug);
  const auto error = [&] { return change(fixed, wanted, Set{C::can_migrate}).error(); };
  EXPECT_EQ(error(), Errc::invalid_argument);
  EXPECT_EQ(error().native(), EINVAL);
  wanted.permitted = wanted.permitted.with(C::debug);
  EXPECT_EQ(error(), Errc::no_service);
  EXPECT_EQ(error().native(), ENOSYS);
  wanted.permitted = wanted.permitted.without(C::debug);
  wanted.effective = wanted.effective.without(C::debug);
  EXPECT_EQ(error(), Errc::denied);
  EXPECT_EQ(error().native(), EPERM);
  fixed = kAll;
  EXPECT_EQ(error(), Errc::would_block);
  EXPECT_EQ(error().native(), EBUSY);
  EXPECT_OK(change(fixed, wanted, Set{C::checkpointable}));
}

TEST(Capability, EachSetMustBeWithinTheOneAboveIt) {
  Sets sets = kAll;
  sets.permitted = sets.permitted.without(C::can_migrate);
  EXPECT_EQ(check(sets).error(), Errc::invalid_argument) << "effective";
  sets.effective = sets.effective.without(C::can_migrate);
  EXPECT_EQ(check(sets).error(), Errc::invalid_argument) << "inheritable permitted";
  sets.inheritable_permitted = sets.inheritable_permitted.without(C::can_migrate);
  EXPECT_EQ(check(sets).error(), Errc::invalid_argument) << "inheritable effective";
  sets.inheritable_effective = sets.inheritable_effective.without(C::can_migrate);
  EXPECT_OK(check(sets));
}

TEST(Capability, ListsAreReadAndWritten) {
  std::string complaint;
  const Set from{C::can_migrate, C::distant_fork};
  EXPECT_EQ(*parse("-CAN_MIGRATE,+checkpointable", from, complaint),
            (Set{C::distant_fork, C::checkpointable}));
  EXPECT_EQ(*parse("DEBUG", from, complaint), from.with(C::debug));
  EXPECT_EQ(*parse("062", from, complaint), Set(062));
  EXPECT_EQ(*parse("0", from, complaint), Set());
  for (const char* const wrong : {"", "+", "CAN_MIGRATE,", "9", "+CAN MIGRATE", "07777777777777"}) {
    EXPECT_FALSE(parse(wrong, from, complaint)) << wrong;
    EXPECT_FALSE(complaint.empty());
  }
  EXPECT_EQ(to_text(from), "CAN_MIGRATE,DISTANT_FORK");
  EXPECT_EQ(to_text(Set()), "");
}

}  // namespace
}  // namespace krg::capability
