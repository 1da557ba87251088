#include "krg/stats/histogram.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "krg/wire/codec.h"

namespace krg::stats {
namespace {

TEST(Histogram, EveryBucketReadsBackWithinThreePercent) {
  for (std::uint64_t value = 0; value < Buckets::kValueMax; value += 1 + value / 100) {
    const std::size_t index = Buckets::index_of(value);
    ASSERT_LT(index, Buckets::kCount);
    const auto back = static_cast<double>(Buckets::value_of(index));
    EXPECT_NEAR(back, static_cast<double>(value), 0.016 * static_cast<double>(value)) << value;
  }
}

TEST(Histogram, BucketsAscend) {
  for (std::size_t i = 1; i < Buckets::kCount; ++i) {
    ASSERT_GT(Buckets::value_of(i), Buckets::value_of(i - 1));
    ASSERT_EQ(Buckets::index_of(Buckets::value_of(i)), i);
  }
}

TEST(Histogram, QuantilesAgreeWithTheSortedValues) {
  std::mt19937_64 random(1);
  std::lognormal_distribution<double> shape(7, 2);
  Histogram histogram;
  std::vector<std::uint64_t> values;
  for (int i = 0; i < 20'000; ++i) {
    values.push_back(static_cast<std::uint64_t>(shape(random)));
    histogram.record(values.back());
  }
  std::sort(values.begin(), values.end());
  const Distribution d = histogram.read();
  EXPECT_EQ(d.count(), values.size());
  EXPECT_EQ(d.max, values.back());
  for (const double q : {0.1, 0.5, 0.9, 0.99, 1.0}) {
    const auto rank = static_cast<std::size_t>(q * static_cast<double>(values.size()));
    const auto exact = static_cast<double>(values[std::max<std::size_t>(rank, 1) - 1]);
    EXPECT_NEAR(static_cast<double>(d.quantile(q)), exact, 0.02 * exact + 1) << q;
  }
}

TEST(Histogram, ValuesBeyondTheRangeCountAsTheLargest) {
  Histogram histogram;
  histogram.record(~std::uint64_t{0});
  const Distribution d = histogram.read();
  ASSERT_EQ(d.buckets.size(), 1u);
  EXPECT_EQ(d.buckets[0].first, Buckets::kCount - 1);
}

TEST(Histogram, AnEmptyOneHasZeros) {
  const Distribution d = Histogram().read();
  EXPECT_EQ(d.count(), 0u);
  EXPECT_EQ(d.mean(), 0);
  EXPECT_EQ(d.quantile(0.5), 0u);
}

TEST(Histogram, MergingIsRecordingBoth) {
  Histogram a;
  Histogram b;
  Histogram both;
  for (std::uint64_t v = 1; v < 3000; v += 7) {
    (v % 2 == 0 ? a : b).record(v);
    both.record(v);
  }
  Distribution merged = a.read();
  merged.merge(b.read());
  EXPECT_EQ(merged, both.read());
}

TEST(Histogram, ADistributionFromOutsideMayHoldAnyIndex) {
  Distribution d;
  d.buckets = {{0xffff, 1}};
  d.max = 5;
  const auto back = wire::decode<Distribution>(wire::encode(d));
  ASSERT_TRUE(back);
  EXPECT_EQ(back->quantile(0.5), 5u);
}

}  // namespace
}  // namespace krg::stats
