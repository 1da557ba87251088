// Goal    what follows is brought ahead, in large pieces and once; what does not brings nothing.
#include "krg/mm/stream.h"

#include <gtest/gtest.h>

#include <set>

namespace krg::mm {
namespace {

constexpr std::uint64_t kPages = 1000;

TEST(Stream, ScatteredFaultsBringNothing) {
  Stream stream;
  for (std::uint64_t i = 0; i < 100; ++i) {
    const Page page{i * 377 % kPages};
    EXPECT_EQ(stream.on_fault(page, false), 1u);
    EXPECT_EQ(stream.on_mapped(page, 1, kPages).count, 0u);
  }
}

TEST(Stream, AllPagesOfAStreamComeAheadButTheFirstFew) {
  Stream stream;
  std::set<std::uint64_t> brought;
  unsigned faults = 0, pieces = 0;
  for (std::uint64_t at = 0; at < kPages; ++faults) {
    const std::uint64_t most = stream.on_fault(Page{at}, false);
    EXPECT_LE(most, Stream::kReadMost);
    // What has come is mapped in one go.
    std::uint64_t count = 1;
    while (count < most && brought.contains(at + count)) ++count;
    const Stretch ahead = stream.on_mapped(Page{at}, count, kPages);
    if (ahead.count > 0) ++pieces;
    for (std::uint64_t i = 0; i < ahead.count; ++i) {
      EXPECT_LT(ahead.first.value + i, kPages);
      EXPECT_TRUE(brought.insert(ahead.first.value + i).second);
    }
    at += count;
  }
  EXPECT_GE(brought.size(), kPages - 4);
  EXPECT_LE(faults, 40u);
  EXPECT_LE(pieces, 40u);
}

TEST(Stream, AWriterHasFewerAhead) {
  Stream stream;
  for (std::uint64_t at = 0; at < 100; ++at) {
    EXPECT_LE(stream.on_fault(Page{at}, true), Stream::kWriteMost);
    EXPECT_LE(stream.on_mapped(Page{at}, 1, kPages).count, 2 * Stream::kWriteMost);
  }
}

TEST(Stream, AFaultOfTheOtherKindBeginsAnew) {
  Stream stream;
  for (std::uint64_t at = 0; at < 10; ++at) {
    stream.on_fault(Page{at}, false);
    stream.on_mapped(Page{at}, 1, kPages);
  }
  EXPECT_EQ(stream.on_fault(Page{10}, true), 1u);
  EXPECT_EQ(stream.on_mapped(Page{10}, 1, kPages).count, 0u);
}

TEST(Stream, NothingLiesBeyondTheEnd) {
  Stream stream;
  for (std::uint64_t at = 0; at < 20; ++at) {
    stream.on_fault(Page{at}, false);
    const Stretch ahead = stream.on_mapped(Page{at}, 1, 20);
    EXPECT_LE(ahead.first.value + ahead.count, 20u);
  }
}

}  // namespace
}  // namespace krg::mm
