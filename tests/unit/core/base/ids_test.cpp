#include "krg/base/ids.h"

#include <gtest/gtest.h>

#include <type_traits>
#include <unordered_set>

#include "krg/base/deadline.h"

namespace krg {
namespace {

using namespace std::chrono_literals;

static_assert(!std::is_convertible_v<std::uint32_t, NodeId>, "an id is made on purpose");
static_assert(!std::is_convertible_v<NodeId, Epoch>);
static_assert(!std::is_constructible_v<Epoch, NodeId>);
static_assert(sizeof(NodeId) == 4 && sizeof(ServiceId) == 2);

TEST(Ids, CompareAndHashByTheirValue) {
  EXPECT_LT(NodeId{1}, NodeId{2});
  EXPECT_EQ(NodeId{}, NodeId{0});
  const std::unordered_set<NodeId> set = {NodeId{1}, NodeId{2}, NodeId{1}};
  EXPECT_EQ(set.size(), 2u);
  EXPECT_FALSE(set.contains(kNoNode));
}

TEST(Deadline, PassesAtItsInstantAndNeverNever) {
  const Deadline deadline(TimePoint{5ms});
  EXPECT_FALSE(deadline.passed(TimePoint{4'999'999ns}));
  EXPECT_TRUE(deadline.passed(TimePoint{5ms}));
  EXPECT_TRUE(Deadline::never().is_never());
  EXPECT_FALSE(Deadline::never().passed(TimePoint{Duration::max() - 1ns}));
  EXPECT_LT(deadline, Deadline::never());
  EXPECT_EQ(TimePoint{5ms} - TimePoint{2ms}, Duration(3ms));
  EXPECT_EQ(TimePoint{2ms} + 3ms, TimePoint{5ms});
}

}  // namespace
}  // namespace krg
