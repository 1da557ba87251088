// Every state of small clusters is right, and the checker would see it if not.
#include "explore.h"

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "krg/testing/sanitized.h"
#include "print_table.h"

namespace krg::kddm::check {
namespace {

// What takes a sanitizer's build ten times as long is done in smaller sizes there.
using krg::testing::kSanitized;

constexpr std::uint32_t kAllOps = (1u << std::size(kOps)) - 1;
constexpr std::uint32_t kGet = 1u << 0;
constexpr std::uint32_t kGrab = 1u << 1;
constexpr std::uint32_t kFlush = 1u << 2;
constexpr std::uint32_t kSync = 1u << 3;
constexpr std::uint32_t kRemove = 1u << 4;

// Explores and expects nothing wrong; prints what was seen.
Found expect_right(const char* name, const Config& config, bool cycles = false) {
  const Found found = explore(config, {}, cycles);
  std::printf("%-28s %8llu states %9llu transitions %6llu at rest\n", name,
              static_cast<unsigned long long>(found.states),
              static_cast<unsigned long long>(found.transitions),
              static_cast<unsigned long long>(found.rests));
  EXPECT_TRUE(found.complete) << found.error << "\n" << found.trace;
  EXPECT_FALSE(found.cycle);
  EXPECT_GT(found.rests, 0u);
  return found;
}

TEST(Explore, TwoNodesDoAllThingsInAllOrders) {
  expect_right("2 nodes", {.nodes = 2, .ops = 2, .allowed = kAllOps}, true);
  expect_right("2 nodes, 2 copies", {.nodes = 2, .ops = 2, .copies = 2}, true);
  expect_right("2 nodes, 2 objects", {.nodes = 2, .objects = 2, .ops = 2, .total = 3});
  expect_right("2 nodes, 2 tasks each", {.nodes = 2, .tasks = 2, .ops = 1, .total = 3});
}

TEST(Explore, OneOfTwoNodesDiesAtAnyMoment) {
  expect_right("2 nodes, 1 dies", {.nodes = 2, .ops = 2, .failures = 1}, true);
  expect_right("2 nodes, 2 copies, 1 dies", {.nodes = 2, .ops = 2, .copies = 2, .failures = 1},
               true);
  expect_right(
      "2 nodes, home fills, 1 dies",
      {.nodes = 2, .ops = 2, .total = 3, .failures = 1, .touch_at_home = true, .fills_fail = true});
  expect_right("2 nodes, 2 objects, 1 dies",
               {.nodes = 2, .objects = 2, .ops = 2, .total = 2, .failures = 1});
}

TEST(Explore, ThreeNodesDoAllThingsInAllOrders) {
  expect_right("3 nodes", {.nodes = 3, .ops = 2, .total = 3});
  expect_right("3 nodes, 2 copies", {.nodes = 3, .ops = 2, .total = 3, .copies = 2});
  const unsigned total = kSanitized ? 2 : 3;
  expect_right("3 nodes, 3 copies", {.nodes = 3, .ops = 2, .total = total, .copies = 3});
  expect_right("3 nodes, 2 objects", {.nodes = 3, .objects = 2, .ops = 1, .total = total});
}

// Goal    data needs no place in the order of its sender's messages.
TEST(Explore, DataMayBeOvertaken) {
  expect_right("2 nodes, data late", {.nodes = 2, .ops = 2, .failures = 1, .data_late = true});
  expect_right("3 nodes, 3 copies, data late",
               {.nodes = 3, .ops = 2, .total = 2, .copies = 3, .data_late = true});
}

// Goal    no request outlives the op that it was sent for.
// Method  a sync pushes a copy to a node that asks for one; then somebody removes the object.
TEST(Explore, NothingIsTouchedForNobody) {
  expect_right("3 nodes, pushes and removals",
               {.nodes = 3, .ops = 2, .total = 4, .copies = 2, .allowed = kGet | kSync | kRemove});
}

TEST(Explore, OneOfThreeNodesDiesAtAnyMoment) {
  expect_right("3 nodes, 1 dies", {.nodes = 3, .ops = 2, .total = 2, .failures = 1});
  expect_right("3 nodes, 2 copies, 1 dies",
               {.nodes = 3, .ops = 2, .total = 2, .copies = 2, .failures = 1});
  expect_right("3 nodes, 3 copies, 2 die",
               {.nodes = 3, .ops = 2, .total = 2, .copies = 3, .failures = 2});
}

// Goal    what is known and under way survives a view that begins before the one before is settled.
// Method  a node joins and becomes home, another dies, at any two moments; who is late may hear of
//         the second view alone.
TEST(Explore, ANodeJoinsWhileAnotherDies) {
  const unsigned less = kSanitized ? 1 : 0;
  expect_right("2 nodes, 1 more joins", {.nodes = 3, .ops = 1, .total = 3 - less, .joins = 1},
               true);
  expect_right("2 nodes, 1 joins, 1 dies",
               {.nodes = 3, .ops = 2, .total = 2 - less, .failures = 1, .joins = 1}, true);
  expect_right("2 nodes, 2 copies, 1 joins, 1 dies",
               {.nodes = 3, .ops = 2, .total = 2 - less, .copies = 2, .failures = 1, .joins = 1});
}

// Goal    a home that stays keeps what it knows, and only what is still so.
// Method  a node joins that becomes heir or nothing, another dies, at any two moments.
TEST(Explore, ANodeJoinsThatIsNotHomeWhileAnotherDies) {
  Config config{.nodes = 3, .ops = 1, .total = 2, .failures = 1, .joins = 1, .first = 1};
  if (kSanitized) config.allowed = kGrab | kRemove;
  expect_right("2 nodes, 1 joins, not home", config, true);
  config.copies = 2;
  expect_right("the same, 2 copies", config);
}

// Goal    who leaves takes no knowledge along.
// Method  the home of an object leaves once it has given everything away; another node, or it, dies
//         at any moment: before it leaves, and before the view without it is settled.
TEST(Explore, AHomeLeavesWhileAnotherNodeDies) {
  const unsigned less = kSanitized ? 1 : 0;
  expect_right("3 nodes, 1 leaves", {.nodes = 3, .ops = 2, .total = 3 - less, .leaves = 1}, true);
  expect_right("3 nodes, 1 leaves, 1 dies",
               {.nodes = 3, .ops = 2, .total = 2 - less, .failures = 1, .leaves = 1}, true);
  expect_right("3 nodes, 2 copies, 1 leaves, 1 dies",
               {.nodes = 3, .ops = 2, .total = 2 - less, .copies = 2, .failures = 1, .leaves = 1});
}

struct Case {
  Mutant mutant;
  Config config;
};

constexpr std::uint32_t kGetGrab = 3;

// Where each seeded bug does harm: the smallest cluster that shows it.
std::vector<Case> cases() {
  const Config two{.nodes = 2, .ops = 2};
  const Config two_die{.nodes = 2, .ops = 2, .failures = 1};
  const Config three{.nodes = 3, .ops = 2, .total = 3, .allowed = kGetGrab};
  Config spares{.nodes = 3, .ops = 3, .total = 3, .copies = 2, .failures = 1};
  spares.allowed = kGrab;
  const Config two_of_three_die{.nodes = 3, .ops = 2, .total = 2, .copies = 3, .failures = 2};
  Config seen = spares;
  seen.ops = 2;
  seen.allowed = kGetGrab;
  Config removal = seen;
  removal.allowed = kGrab | kRemove;
  const Config joined{.nodes = 3, .ops = 2, .total = 3, .joins = 1};
  const Config joined_die{.nodes = 3, .ops = 2, .total = 2, .failures = 1, .joins = 1};
  const Config leaves{.nodes = 3, .ops = 1, .failures = 1, .leaves = 1};
  return {{Mutant::dropped_inval, two},
          {Mutant::early_ack, two},
          {Mutant::skipped_epoch_test, two_die},
          {Mutant::lost_member, two},
          {Mutant::upgrade_without_inval, two},
          {Mutant::stale_owner, two},
          {Mutant::unawaited_acks, two},
          {Mutant::no_retention, two_die},
          {Mutant::grab_beside_readers, two},
          {Mutant::no_spares, seen},
          {Mutant::forgetful_heir, two_die},
          {Mutant::copies_before_spares, removal},
          {Mutant::oldest_spare_wins, spares},
          {Mutant::no_downgrade, two},
          {Mutant::lost_wake_up, two},
          {Mutant::kept_stale_spare, spares},
          {Mutant::queue_survives_view, two_die},
          {Mutant::released_unseen, three},
          {Mutant::seen_too_early, two_of_three_die},
          {Mutant::unconfirmed_removal, joined},
          {Mutant::hasty_forgetting, joined_die},
          {Mutant::kept_the_dead, two_die},
          {Mutant::untold_heir, joined_die},
          {Mutant::secretive_leaver, leaves}};
}

TEST(Mutants, EveryOneIsCaught) {
  const std::vector<Case> all = cases();
  ASSERT_EQ(all.size() + 1, static_cast<std::size_t>(Mutant::count)) << "a mutant without a case";
  for (const Case& one : all) {
    Config config = one.config;
    config.mutant = one.mutant;
    if (kSanitized && config.nodes > 2) {
      std::printf("%-22s left to builds without a sanitizer\n", name_of(one.mutant));
      continue;
    }
    const Found found = explore(config, {.states = 3'000'000});
    std::printf("%-22s %8llu states: %s\n", name_of(one.mutant),
                static_cast<unsigned long long>(found.states), found.error.c_str());
    EXPECT_FALSE(found.error.empty()) << name_of(one.mutant) << " was not caught";
    EXPECT_FALSE(found.trace.empty());
  }
  Seeded::active = Mutant::none;
}

TEST(Table, TheDocumentShowsTheTablesOfTheCode) {
  std::ifstream file(KRG_KDDM_DOCUMENT);
  ASSERT_TRUE(file) << KRG_KDDM_DOCUMENT;
  std::stringstream text;
  text << file.rdbuf();
  EXPECT_NE(text.str().find(print_tables()), std::string::npos)
      << "put the output of `krg_kddm_check --table` into " << KRG_KDDM_DOCUMENT;
}

// Goal    the table has no rule that nothing leads to.
// Method  what the explorations of this test use, together.
TEST(Table, EveryCellWithARuleIsUsed) {
  World::Coverage used{};
  auto add = [&](const Config& config) {
    const Found found = explore(config, {});
    EXPECT_TRUE(found.complete) << found.error << "\n" << found.trace;
    for (std::size_t i = 0; i < used.size(); ++i) used[i] |= found.coverage[i];
  };
  const unsigned less = kSanitized ? 1 : 0;
  const unsigned failures = kSanitized ? 0 : 1;
  add({.nodes = 2,
       .ops = 3,
       .total = 4,
       .failures = failures,
       .touch_at_home = true,
       .fills_fail = true});
  add({.nodes = 2, .ops = 3 - less, .total = 4 - less, .copies = 2, .failures = 1});
  add({.nodes = 2, .tasks = 2, .ops = 1, .total = 3 - less, .failures = 1, .fills_fail = true});
  add({.nodes = 3, .ops = 2, .total = 3 - less, .copies = 2, .failures = 1});
  add({.nodes = 2, .ops = 2, .total = 3, .failures = 1, .touch_at_home = true, .fills_fail = true});
  Config flushes{.nodes = 3, .ops = 1, .total = 3, .copies = 2, .failures = 1};
  flushes.allowed = kGrab | kFlush;
  add(flushes);
  // Whoever comes in tells the home, which is another and at rest.
  add({.nodes = 3, .ops = 1, .total = 2, .joins = 1, .first = 1});
  Config lost{.nodes = 4, .ops = 1, .total = 1, .failures = 1, .joins = 1, .first = 1};
  lost.allowed = kGet;
  add(lost);
  EXPECT_EQ(print_unused(used), "");
}

}  // namespace
}  // namespace krg::kddm::check
