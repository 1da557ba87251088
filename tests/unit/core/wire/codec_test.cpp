#include "krg/wire/codec.h"

#include <gtest/gtest.h>

#include <random>

#include "krg/wire/service.h"

namespace krg::wire {
namespace {

enum class Colour : std::uint8_t { red, green };

struct Inner {
  std::string name;
  bool operator==(const Inner&) const = default;
  static void wire_fields(auto& m, auto&& visit) { visit(m.name); }
};

struct Everything {
  std::int32_t number = 0;
  bool flag = false;
  double real = 0;
  Colour colour = Colour::red;
  NodeId node;
  std::string text;
  std::vector<Inner> list;
  std::vector<std::byte> bytes;
  std::optional<std::uint64_t> maybe;
  std::pair<std::uint16_t, std::string> pair;
  std::array<std::uint32_t, 3> array{};

  bool operator==(const Everything&) const = default;
  static void wire_fields(auto& m, auto&& visit) {
    visit(m.number, m.flag, m.real, m.colour, m.node, m.text, m.list, m.bytes, m.maybe, m.pair,
          m.array);
  }
};

Everything sample() {
  return {.number = -5,
          .flag = true,
          .real = 2.5,
          .colour = Colour::green,
          .node = NodeId{7},
          .text = "text",
          .list = {{"a"}, {"bb"}},
          .bytes = {std::byte{1}, std::byte{2}},
          .maybe = 9,
          .pair = {3, "three"},
          .array = {1, 2, 3}};
}

TEST(Codec, EveryKindOfFieldSurvives) {
  const auto back = decode<Everything>(encode(sample()));
  ASSERT_TRUE(back);
  EXPECT_EQ(*back, sample());
  EXPECT_TRUE(decode<Empty>(encode(Empty{})));
}

TEST(Codec, EncodedSizeIsWhatEncodeWrites) {
  EXPECT_EQ(encoded_size(sample()), encode(sample()).size());
}

TEST(Codec, EveryTruncationAndEveryExtraByteIsRefused) {
  std::vector<std::byte> bytes = encode(sample());
  for (std::size_t n = 0; n < bytes.size(); ++n) {
    EXPECT_FALSE(decode<Everything>(std::span(bytes).first(n))) << n;
  }
  bytes.push_back(std::byte{0});
  EXPECT_EQ(decode<Everything>(bytes).error().code(), Errc::protocol_error);
}

TEST(Codec, ABoolIsZeroOrOne) {
  EXPECT_TRUE(decode<bool>(std::vector{std::byte{1}}));
  EXPECT_FALSE(decode<bool>(std::vector{std::byte{2}}));
}

TEST(Codec, AHugeCountAllocatesNothing) {
  // Four billion elements announced, none there.
  const std::vector<std::byte> bytes(4, std::byte{0xff});
  EXPECT_FALSE(decode<std::vector<std::uint64_t>>(bytes));
  EXPECT_FALSE(decode<std::vector<Empty>>(bytes));
  EXPECT_FALSE(decode<std::string>(bytes));
  EXPECT_FALSE(decode<std::vector<std::vector<std::string>>>(bytes));
}

TEST(Codec, ASpanPointsIntoTheBytesDecoded) {
  const std::vector<std::byte> content = {std::byte{1}, std::byte{2}};
  const std::vector<std::byte> bytes = encode(Bytes(content));
  const auto view = decode<Bytes>(bytes);
  ASSERT_TRUE(view);
  EXPECT_EQ(view->data(), bytes.data() + 4);
  EXPECT_EQ(view->size(), 2u);
}

TEST(Codec, RandomBytesDecodeOrFailButNothingElse) {
  std::mt19937 random(1);
  for (int round = 0; round < 20'000; ++round) {
    std::vector<std::byte> bytes(random() % 64);
    for (std::byte& byte : bytes) byte = static_cast<std::byte>(random());
    if (const auto message = decode<Everything>(bytes)) {
      EXPECT_EQ(encode(*message).size(), bytes.size());
    }
  }
}

struct Good {
  static constexpr ServiceId kId{1};
  static constexpr const char* kName = "good";
  using Request = Inner;
  using Reply = Empty;
};
struct GoodStream : Good {
  using Up = Inner;
  using Down = Inner;
};
struct NoName {
  static constexpr ServiceId kId{1};
  using Request = Inner;
  using Reply = Empty;
};
static_assert(Service<Good> && !StreamService<Good>);
static_assert(Service<GoodStream> && StreamService<GoodStream>);
static_assert(!Service<NoName>);

}  // namespace
}  // namespace krg::wire
