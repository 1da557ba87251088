#include <gtest/gtest.h>

#include <array>
#include <limits>

#include "krg/wire/decoder.h"
#include "krg/wire/encoder.h"

namespace krg::wire {
namespace {

TEST(Encoder, WritesLittleEndian) {
  std::array<std::byte, 6> bytes{};
  Encoder out(bytes);
  out.put<std::uint32_t>(0x01020304);
  out.put<std::uint16_t>(0x0506);
  EXPECT_TRUE(out.ok());
  EXPECT_EQ(bytes[0], std::byte{4});
  EXPECT_EQ(bytes[3], std::byte{1});
  EXPECT_EQ(bytes[4], std::byte{6});
}

TEST(Encoder, PastTheEndNothingIsWrittenButCounted) {
  std::array<std::byte, 8> bytes{};
  Encoder out{std::span(bytes).first(6)};
  out.put<std::uint32_t>(~0u);
  out.put<std::uint32_t>(~0u);
  EXPECT_FALSE(out.ok());
  EXPECT_EQ(out.size(), 8u);
  for (std::size_t i = 4; i < 8; ++i) EXPECT_EQ(bytes[i], std::byte{0});
  out.put<std::uint8_t>(1);  // Would fit, but the order would be broken.
  EXPECT_FALSE(out.ok());
}

TEST(Decoder, ReadsBackWhatWasWritten) {
  std::array<std::byte, 32> bytes{};
  Encoder out(bytes);
  out.put<std::int64_t>(std::numeric_limits<std::int64_t>::min());
  out.put_double(-1.5);
  Decoder in{std::span(bytes).first(out.size())};
  EXPECT_EQ(in.get<std::int64_t>(), std::numeric_limits<std::int64_t>::min());
  EXPECT_EQ(in.get_double(), -1.5);
  EXPECT_TRUE(in.finished());
}

TEST(Decoder, PastTheEndComeZerosForGood) {
  const std::array<std::byte, 3> bytes = {std::byte{1}, std::byte{2}, std::byte{3}};
  Decoder in(bytes);
  EXPECT_EQ(in.get<std::uint32_t>(), 0u);
  EXPECT_FALSE(in.ok());
  in.get<std::uint8_t>();
  EXPECT_FALSE(in.ok());
  EXPECT_FALSE(in.finished());
}

TEST(Decoder, ACountThatTheBytesCanNotHoldIsRefused) {
  std::array<std::byte, 12> bytes{};
  Encoder out(bytes);
  out.put<std::uint32_t>(3);
  Decoder four_byte_elements(bytes);
  EXPECT_EQ(four_byte_elements.get_count(4), 0u);
  EXPECT_FALSE(four_byte_elements.ok());
  Decoder two_byte_elements(bytes);
  EXPECT_EQ(two_byte_elements.get_count(2), 3u);
}

TEST(Decoder, AViewIsNeverLongerThanTheBytes) {
  const std::array<std::byte, 4> bytes{};
  Decoder in(bytes);
  EXPECT_EQ(in.view(4).size(), 4u);
  EXPECT_TRUE(in.finished());
  EXPECT_EQ(in.view(~std::size_t{0}).size(), 0u);
  EXPECT_FALSE(in.ok());
}

}  // namespace
}  // namespace krg::wire
