// Goal    who reads the log of notices learns of every page that others have written since, or that
//         it may be any; and never that nothing has changed when something has.
#include "krg/mm/notices.h"

#include <gtest/gtest.h>

#include <random>
#include <set>
#include <vector>

namespace krg::mm {
namespace {

constexpr NodeId kA{0}, kB{1}, kC{2};

class MmNotices : public testing::Test {
 protected:
  std::span<std::byte> bytes() { return std::as_writable_bytes(std::span(words_)); }
  Notices log() { return Notices(bytes()); }
  NoticesWriter writer() { return NoticesWriter(bytes()); }
  std::uint64_t post(NodeId node, std::vector<Stretch> runs) { return writer().append(node, runs); }
  void begin(std::uint64_t epoch = 42) { writer().begin(epoch); }

 private:
  std::vector<std::uint64_t> words_ = std::vector<std::uint64_t>(Notices::kBytes / 8);
};

TEST_F(MmNotices, OfZerosHaveNotBegun) { EXPECT_EQ(log().epoch(), 0U); }

TEST_F(MmNotices, OfALogThatANodeDoesNotKnowMayBeOfAnyPage) {
  begin();
  const News news = log().since(kA, {});
  EXPECT_TRUE(news.all);
  EXPECT_EQ(news.now, (Heard{42, 0}));
  EXPECT_TRUE(log().since(kA, {41, 0}).all);
  EXPECT_TRUE(log().since(kA, {42, 7}).all) << "a release that it has not had";
}

TEST_F(MmNotices, AreOfOtherNodesAndOfWhatIsNew) {
  begin();
  EXPECT_EQ(post(kA, {{Page{5}, 2}}), 1U);
  EXPECT_EQ(post(kB, {{Page{9}, 1}}), 2U);
  const News of_a = log().since(kA, {42, 0});
  EXPECT_FALSE(of_a.all);
  ASSERT_EQ(of_a.runs.size(), 1U);
  EXPECT_EQ(of_a.runs[0].first, Page{9});
  const News of_c = log().since(kC, {42, 1});
  ASSERT_EQ(of_c.runs.size(), 1U);
  EXPECT_EQ(of_c.runs[0].first, Page{9});
  EXPECT_EQ(of_c.now, (Heard{42, 2}));
  EXPECT_TRUE(log().since(kC, of_c.now).runs.empty());
  EXPECT_FALSE(log().since(kC, of_c.now).all);
}

TEST_F(MmNotices, NameEachPageOnce) {
  begin();
  post(kA, {{Page{0}, 4}, {Page{10}, 1}});
  post(kB, {{Page{2}, 4}, {Page{11}, 1}});
  const News news = log().since(kC, {42, 0});
  ASSERT_EQ(news.runs.size(), 2U);
  EXPECT_EQ(news.runs[0].first, Page{0});
  EXPECT_EQ(news.runs[0].count, 6U);
  EXPECT_EQ(news.runs[1].first, Page{10});
  EXPECT_EQ(news.runs[1].count, 2U);
}

TEST_F(MmNotices, WithoutRoomForOneReleaseMayBeOfAnyPage) {
  begin();
  post(kA, {{Page{1}, 1}});
  std::vector<Stretch> runs;
  for (std::uint64_t i = 0; i < Notices::kBytes / 8; ++i) runs.push_back({Page{i * 2}, 1});
  post(kA, runs);
  EXPECT_TRUE(log().since(kB, {42, 1}).all);
  post(kA, {{Page{3}, 1}});
  const News news = log().since(kB, {42, 2});
  EXPECT_FALSE(news.all);
  EXPECT_EQ(news.runs.size(), 1U);
}

TEST_F(MmNotices, ThatAreNoLogSayThatAnyPageMayHaveChanged) {
  begin();
  post(kA, {{Page{1}, 1}});
  std::mt19937 random(3);
  for (int round = 0; round < 2000; ++round) {
    std::vector<std::uint64_t> words(Notices::kBytes / 8);
    for (std::size_t i = 0; i < 40; ++i) words[i] = random() % 64;
    NoticesWriter(std::as_writable_bytes(std::span(words))).append(kB, std::vector<Stretch>(9));
    static_cast<void>(Notices(std::as_bytes(std::span(words))).since(kC, {words[0], 0}));
  }
}

// Beside plain lists of what each release wrote, with a ring that is written over many times.
TEST_F(MmNotices, TellNoLessThanWhatWasWritten) {
  for (unsigned seed = 0; seed < 20; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937 random(seed);
    begin(seed + 1);
    std::vector<std::pair<NodeId, std::set<std::uint64_t>>> all;
    std::vector<Heard> heard(3);
    unsigned everything = 0;
    for (int step = 0; step < 600; ++step) {
      const NodeId node{static_cast<std::uint32_t>(random() % 3)};
      if (random() % 3 != 0) {
        std::vector<Stretch> runs;
        std::set<std::uint64_t> pages;
        for (unsigned i = random() % 120; i > 0; --i) {
          const Stretch run{Page{random() % 100000}, 1 + random() % 5};
          for (std::uint64_t k = 0; k < run.count; ++k) pages.insert(run.first.value + k);
          runs.push_back(run);
        }
        EXPECT_EQ(post(node, runs), all.size() + 1);
        all.emplace_back(node, std::move(pages));
        continue;
      }
      const News news = log().since(node, heard[node.value]);
      std::set<std::uint64_t> told;
      for (const Stretch& run : news.runs) {
        for (std::uint64_t k = 0; k < run.count; ++k) told.insert(run.first.value + k);
      }
      if (news.all) {
        ++everything;
      } else {
        std::set<std::uint64_t> expected;
        for (std::uint64_t i = heard[node.value].release; i < all.size(); ++i) {
          if (all[i].first != node) expected.insert(all[i].second.begin(), all[i].second.end());
        }
        EXPECT_EQ(told, expected);
      }
      heard[node.value] = news.now;
      EXPECT_EQ(news.now.release, all.size());
    }
    EXPECT_LT(everything, 60U) << "who asks often enough is told the pages";
  }
}

}  // namespace
}  // namespace krg::mm
