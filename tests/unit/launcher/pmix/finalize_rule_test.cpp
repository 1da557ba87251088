#include "krg/pmix/finalize_rule.h"

#include <gtest/gtest.h>

namespace krg::pmix {
namespace {

using std::chrono::milliseconds;

TimePoint at(int ms) { return TimePoint{milliseconds(ms)}; }

TEST(FinalizeRule, ABarrierBeforeAnyPutIsNeverReleased) {
  FinalizeRule rule(milliseconds(300));
  rule.arrived(at(0));
  EXPECT_FALSE(rule.due());
  EXPECT_FALSE(rule.quiet());
}

TEST(FinalizeRule, ABarrierWithAPutInItsEpochIsNeverReleased) {
  FinalizeRule rule(milliseconds(300));
  rule.put();
  rule.arrived(at(0));
  rule.completed(true);
  rule.put();
  rule.arrived(at(10));
  EXPECT_FALSE(rule.due());
}

TEST(FinalizeRule, ABarrierWithoutPutsIsDueAfterThePatienceSinceItsLastArrival) {
  FinalizeRule rule(milliseconds(300));
  rule.put();
  rule.arrived(at(0));
  rule.completed(false);
  EXPECT_FALSE(rule.due()) << "nobody waits";
  rule.arrived(at(100));
  ASSERT_TRUE(rule.due());
  EXPECT_EQ(*rule.due(), at(400));
  rule.arrived(at(350));
  EXPECT_EQ(*rule.due(), at(650));
}

TEST(FinalizeRule, PutsOfOtherNodesCountAsPutsBefore) {
  FinalizeRule rule(milliseconds(300));
  rule.arrived(at(0));
  rule.completed(true);
  rule.arrived(at(1));
  EXPECT_TRUE(rule.due());
}

TEST(FinalizeRule, DoubtStartsThePatienceAgain) {
  FinalizeRule rule(milliseconds(300));
  rule.put();
  rule.completed(true);
  rule.arrived(at(0));
  rule.doubt(at(300));
  EXPECT_EQ(*rule.due(), at(600));
}

TEST(FinalizeRule, AfterTheReleaseNothingIsDueAgain) {
  FinalizeRule rule(milliseconds(300));
  rule.put();
  rule.completed(true);
  rule.arrived(at(0));
  rule.release();
  EXPECT_TRUE(rule.released());
  EXPECT_TRUE(rule.quiet());
  rule.arrived(at(1));
  EXPECT_FALSE(rule.due());
}

TEST(FinalizeRule, ZeroPatienceTurnsItOff) {
  FinalizeRule rule(Duration::zero());
  rule.put();
  rule.completed(true);
  rule.arrived(at(0));
  EXPECT_FALSE(rule.due());
}

}  // namespace
}  // namespace krg::pmix
