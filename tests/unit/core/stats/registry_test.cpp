#include "krg/stats/registry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <thread>

namespace krg::stats {
namespace {

TEST(StatsRegistry, TheSameNameIsTheSameObject) {
  Registry registry;
  registry.counter("rpc.echo.calls").add(2);
  registry.counter("rpc.echo.calls").add();
  registry.gauge("rpc.peers").set(-3);
  registry.histogram("rpc.echo.latency").record(1000);
  const Snapshot s = registry.snapshot();
  ASSERT_EQ(s.items.size(), 3u);
  EXPECT_EQ(s.find("rpc.echo.calls")->value, 3);
  EXPECT_EQ(s.find("rpc.peers")->value, -3);
  EXPECT_EQ(s.find("rpc.echo.latency")->distribution.count(), 1u);
  EXPECT_EQ(s.find("nothing"), nullptr);
}

TEST(StatsRegistry, AGroupLiesSideBySideAndIsListedByName) {
  Registry registry;
  constexpr CounterName kNames[] = {{"count", ""}, {"bytes", "B"}};
  Counter* const group = registry.counters("rpc.echo.served", kNames);
  group[0].add(2);
  group[1].add(48);
  EXPECT_EQ(&registry.counter("rpc.echo.served.bytes"), &group[1]);
  const Snapshot s = registry.snapshot();
  ASSERT_EQ(s.items.size(), 2u);
  EXPECT_EQ(s.find("rpc.echo.served.count")->value, 2);
  EXPECT_EQ(s.find("rpc.echo.served.bytes")->value, 48);
  EXPECT_EQ(s.find("rpc.echo.served.bytes")->unit, "B");
}

TEST(StatsRegistry, AGroupWhoseNamesAreTakenCountsUnseen) {
  Registry registry;
  constexpr CounterName kNames[] = {{"count", ""}};
  registry.counters("x", kNames)[0].add(1);
  registry.counters("x", kNames)[0].add(7);
  const Snapshot s = registry.snapshot();
  ASSERT_EQ(s.items.size(), 1u);
  EXPECT_EQ(s.items[0].value, 1);
}

TEST(StatsRegistry, TwoRegistriesKnowNothingOfEachOther) {
  Registry a;
  Registry b;
  a.counter("x").add();
  EXPECT_EQ(b.counter("x").value(), 0u);
}

TEST(StatsRegistry, ANameOfAnotherKindCountsUnseen) {
  Registry registry;
  registry.counter("x").add(5);
  registry.gauge("x").set(9);
  const Snapshot s = registry.snapshot();
  ASSERT_EQ(s.items.size(), 1u);
  EXPECT_EQ(s.items[0].value, 5);
}

TEST(StatsRegistry, IsBounded) {
  Registry registry;
  for (std::size_t i = 0; i < Registry::kItemsMax + 10; ++i) {
    registry.counter("c" + std::to_string(i)).add();
  }
  EXPECT_EQ(registry.snapshot().items.size(), Registry::kItemsMax);
}

TEST(StatsRegistry, AnotherThreadReadsWhatOneCounts) {
  Registry registry;
  Counter& counter = registry.counter("x");
  Histogram& histogram = registry.histogram("h");
  std::thread writer([&] {
    for (int i = 0; i < 100'000; ++i) {
      counter.add();
      histogram.record(static_cast<std::uint64_t>(i));
    }
  });
  std::int64_t last = 0;
  for (int i = 0; i < 100; ++i) {
    const std::int64_t now = registry.snapshot().find("x")->value;
    EXPECT_GE(now, last);
    last = now;
  }
  writer.join();
  EXPECT_EQ(registry.snapshot().find("x")->value, 100'000);
  EXPECT_EQ(registry.snapshot().find("h")->distribution.count(), 100'000u);
}

TEST(StatsSnapshot, SurvivesTheWireAndAddsUp) {
  Registry a;
  Registry b;
  a.counter("calls").add(1);
  a.histogram("latency").record(10);
  b.counter("calls").add(2);
  b.histogram("latency").record(20);
  b.gauge("only_b").set(7);
  auto merged = wire::decode<Snapshot>(wire::encode(a.snapshot()));
  ASSERT_TRUE(merged);
  EXPECT_EQ(*merged, a.snapshot());
  merged->merge(b.snapshot());
  ASSERT_EQ(merged->items.size(), 3u);
  EXPECT_EQ(merged->find("calls")->value, 3);
  EXPECT_EQ(merged->find("latency")->distribution.count(), 2u);
  EXPECT_EQ(merged->find("latency")->distribution.max, 20u);
  EXPECT_EQ(merged->find("only_b")->value, 7);
}

TEST(StatsSnapshot, JsonAndTextShowEveryItem) {
  Registry registry;
  registry.counter("a.calls").add(3);
  registry.histogram("a.latency").record(100);
  const auto parsed = nlohmann::json::parse(json(registry.snapshot()));
  ASSERT_EQ(parsed.size(), 2u);
  EXPECT_EQ(parsed[0].at("value"), 3);
  EXPECT_EQ(parsed[1].at("p50"), 100);
  const std::string text = text_table(registry.snapshot());
  EXPECT_THAT(text, testing::ContainsRegex("a.calls +3"));
  EXPECT_THAT(text, testing::ContainsRegex("a.latency +1 +100"));
}

}  // namespace
}  // namespace krg::stats
