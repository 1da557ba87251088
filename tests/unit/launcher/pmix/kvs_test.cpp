#include "krg/pmix/kvs.h"

#include <gtest/gtest.h>

#include <string>

namespace krg::pmix {
namespace {

TEST(Kvs, APutIsFoundByKeyAndByIndex) {
  Kvs kvs;
  ASSERT_TRUE(kvs.put("a", "1"));
  ASSERT_TRUE(kvs.put("b", "2"));
  ASSERT_NE(kvs.get("b"), nullptr);
  EXPECT_EQ(*kvs.get("b"), "2");
  ASSERT_NE(kvs.at(0), nullptr);
  EXPECT_EQ(kvs.at(0)->key, "a");
  EXPECT_EQ(kvs.at(2), nullptr);
  EXPECT_EQ(kvs.get("c"), nullptr);
}

TEST(Kvs, ASecondPutReplacesAndKeepsItsPlace) {
  Kvs kvs;
  ASSERT_TRUE(kvs.put("a", "1"));
  ASSERT_TRUE(kvs.put("b", "2"));
  ASSERT_TRUE(kvs.put("a", "three"));
  EXPECT_EQ(kvs.size(), 2u);
  EXPECT_EQ(kvs.at(0)->value, "three");
}

TEST(Kvs, AnEmptyKeyIsRefused) {
  Kvs kvs;
  EXPECT_EQ(kvs.put("", "1").error(), Errc::invalid_argument);
}

TEST(Kvs, TheBoundsHoldAndLeaveWhatIsThereUnchanged) {
  Kvs kvs({.entries = 2, .bytes = 10});
  ASSERT_TRUE(kvs.put("a", "1234"));
  EXPECT_EQ(kvs.put("b", "12345").error(), Errc::limit_reached);
  ASSERT_TRUE(kvs.put("b", "1234"));
  EXPECT_EQ(kvs.put("a", "12345").error(), Errc::limit_reached);
  EXPECT_EQ(*kvs.get("a"), "1234");
  ASSERT_TRUE(kvs.put("a", ""));
  EXPECT_EQ(kvs.put("c", "").error(), Errc::limit_reached);
}

TEST(Kvs, ManyKeysStayReachableWhileItGrows) {
  Kvs kvs;
  for (int i = 0; i < 5000; ++i) ASSERT_TRUE(kvs.put("k" + std::to_string(i), std::to_string(i)));
  for (int i = 0; i < 5000; ++i) {
    const std::string* value = kvs.get("k" + std::to_string(i));
    ASSERT_NE(value, nullptr);
    ASSERT_EQ(*value, std::to_string(i));
  }
}

}  // namespace
}  // namespace krg::pmix
