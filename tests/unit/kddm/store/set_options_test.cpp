#include "krg/store/set_options.h"

#include <gtest/gtest.h>

#include <vector>

#include "krg/reactor/block_on.h"
#include "krg/reactor/clock.h"
#include "krg/store/linker.h"
#include "krg/wire/codec.h"

namespace krg::kddm {
namespace {

static_assert(is_reserved(SetId{7}) && !is_reserved(make_set_id(NodeId{0}, 1)));
static_assert(creator_of(make_set_id(NodeId{65534}, kSetCounterMax)) == NodeId{65534});
static_assert(creator_of(SetId{7}) == kNoNode);
static_assert(creator_of(SetId{~std::uint64_t{0}}) == kNoNode);
static_assert(make_set_id(NodeId{1}, 5) != make_set_id(NodeId{2}, 5));

TEST(SetOptions, TheDefaultsAreASetAndSurviveTheWire) {
  SetOptions options;
  options.object_bytes = 4096;
  options.policy = HomePolicy::round_robin;
  options.nodes = cluster::NodeSet::first(4);
  options.flags = static_cast<std::uint32_t>(SetFlag::touch_at_home);
  ASSERT_TRUE(check(options));
  const auto back = wire::decode<SetOptions>(wire::encode(options));
  ASSERT_TRUE(back);
  EXPECT_EQ(*back, options);
  EXPECT_TRUE(back->has(SetFlag::touch_at_home));
}

TEST(SetOptions, WhatIsNoSetIsRefusedAndSaysWhy) {
  const auto refused = [](auto change) {
    SetOptions options;
    change(options);
    const Status status = check(options);
    return !status && status.error().what() != nullptr && status.error() == Errc::invalid_argument;
  };
  EXPECT_TRUE(check(SetOptions{}));
  EXPECT_TRUE(refused([](SetOptions& o) { o.object_bytes = SetOptions::kObjectBytesMax + 1; }));
  EXPECT_TRUE(refused([](SetOptions& o) { o.object_count = 0; }));
  EXPECT_TRUE(refused([](SetOptions& o) { o.copies = 0; }));
  EXPECT_TRUE(refused([](SetOptions& o) { o.copies = 9; }));
  EXPECT_TRUE(refused([](SetOptions& o) { o.flags = 0x80; }));
  EXPECT_TRUE(refused([](SetOptions& o) { o.flags = 1; })) << "once local_exclusive";
  EXPECT_TRUE(refused([](SetOptions& o) { o.linker.clear(); }));
  EXPECT_TRUE(refused([](SetOptions& o) { o.linker.assign(65, 'x'); }));
  EXPECT_TRUE(refused([](SetOptions& o) { o.policy = HomePolicy::fixed; }));
  EXPECT_TRUE(refused([](SetOptions& o) { o.policy = HomePolicy::round_robin; }));
  EXPECT_TRUE(refused([](SetOptions& o) { o.policy = static_cast<HomePolicy>(77); }));
}

TEST(MemoryLinker, MakesZerosAndPrefersNobody) {
  const reactor::VirtualClock clock;
  reactor::Reactor reactor(clock);
  MemoryLinker linker;
  std::vector<std::byte> bytes(16, std::byte{0xff});
  EXPECT_TRUE(reactor::block_on(reactor, linker.first_touch(SetId{1}, ObjectId{1}, bytes)));
  EXPECT_EQ(bytes, std::vector<std::byte>(16));
  EXPECT_TRUE(reactor::block_on(reactor, linker.first_touch(SetId{1}, ObjectId{1}, {})));
  EXPECT_STREQ(linker.name(), "memory");
  EXPECT_EQ(linker.preferred_home(SetId{1}, ObjectId{1}), kNoNode);
}

}  // namespace
}  // namespace krg::kddm
