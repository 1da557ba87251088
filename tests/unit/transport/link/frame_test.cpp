// The frames of a proven link: what goes in comes out, once and in order, and nothing else does.
#include "krg/link/frame.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

namespace krg::link {
namespace {

MacKey key_of(unsigned char fill) {
  MacKey key;
  key.fill(std::byte{fill});
  return key;
}

std::span<const std::byte> bytes_of(const std::string& text) {
  return std::as_bytes(std::span(text));
}

std::string text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

struct Pair {
  FrameWriter writer{key_of(1)};
  FrameReader reader{key_of(1)};
  std::vector<std::byte> stream;

  Result<std::optional<Frame>> next_of(std::span<const std::byte> bytes) {
    reader.push(bytes);
    return reader.next();
  }
};

TEST(LinkFrame, ArrivesWholeHoweverTheStreamIsCut) {
  Pair p;
  p.writer.append(p.stream, FrameType::message, bytes_of("hello"));
  p.writer.append(p.stream, FrameType::message, bytes_of(""));
  p.writer.append(p.stream, FrameType::bye, bytes_of(std::string(kPayloadMax, 'x')));
  for (const std::size_t step : {std::size_t{1}, std::size_t{7}, p.stream.size()}) {
    FrameReader reader{key_of(1)};
    std::vector<std::string> got;
    for (std::size_t at = 0; at < p.stream.size(); at += step) {
      reader.push(std::span(p.stream).subspan(at, std::min(step, p.stream.size() - at)));
      while (true) {
        const auto frame = reader.next();
        ASSERT_TRUE(frame.has_value());
        if (!*frame) break;
        got.push_back(text_of((*frame)->payload));
      }
    }
    ASSERT_EQ(got.size(), 3u) << "step " << step;
    EXPECT_EQ(got[0], "hello");
    EXPECT_EQ(got[1], "");
    EXPECT_EQ(got[2].size(), kPayloadMax);
  }
}

TEST(LinkFrame, IsRefusedWhenAnyBitIsChanged) {
  Pair good;
  good.writer.append(good.stream, FrameType::message, bytes_of("payload"));
  for (std::size_t bit = 0; bit < good.stream.size() * 8; ++bit) {
    std::vector<std::byte> bad = good.stream;
    bad[bit / 8] ^= std::byte{static_cast<unsigned char>(1u << (bit % 8))};
    FrameReader reader{key_of(1)};
    reader.push(bad);
    const auto frame = reader.next();
    // A larger size waits for bytes that never come; everything else is an error at once.
    EXPECT_FALSE(frame.has_value() && *frame) << "bit " << bit;
  }
}

TEST(LinkFrame, IsRefusedWhenRepeatedLeftOutOrReflected) {
  Pair p;
  std::vector<std::byte> first, second;
  p.writer.append(first, FrameType::message, bytes_of("1"));
  p.writer.append(second, FrameType::message, bytes_of("2"));
  {
    FrameReader reader{key_of(1)};
    reader.push(first);
    ASSERT_TRUE(reader.next().has_value());
    reader.push(first);
    const auto again = reader.next();
    ASSERT_FALSE(again.has_value());
    EXPECT_EQ(again.error().code(), Errc::auth_failed);
  }
  EXPECT_FALSE(FrameReader(p.reader).next().value());
  EXPECT_FALSE(p.next_of(second).has_value());
  FrameReader other{key_of(2)};
  other.push(first);
  EXPECT_FALSE(other.next().has_value());
}

TEST(LinkFrame, OfImpossibleSizeOrTypeIsRefusedByItsHeaderAlone) {
  for (const auto& [size, type] : {std::pair<std::uint32_t, int>{kPayloadMax + 1, 3},
                                   {0xffffffffu, 3},
                                   {1, 0},
                                   {1, 5},
                                   {1, 255}}) {
    std::vector<std::byte> header(kFrameHeader);
    std::copy_n(reinterpret_cast<const std::byte*>(&size), 4, header.begin());
    header[4] = std::byte{static_cast<unsigned char>(type)};
    FrameReader reader{key_of(1)};
    reader.push(header);
    const auto frame = reader.next();
    ASSERT_FALSE(frame.has_value());
    EXPECT_EQ(frame.error().code(), Errc::protocol_error);
    EXPECT_FALSE(reader.next().has_value()) << "an error must be final";
  }
}

}  // namespace
}  // namespace krg::link
