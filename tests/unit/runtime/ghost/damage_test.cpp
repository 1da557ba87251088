#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>

#include "krg/testing/matchers.h"
#include "sample.h"

// No damage of an archive goes unseen, and none is a crash.
namespace krg::ghost {
namespace {

class GhostDamage : public ::testing::Test {
 protected:
  void SetUp() override {
    MemorySink sink;
    ASSERT_OK(write_sample(sink));
    bytes_ = std::move(sink).bytes();
  }
  static Result<std::string> read(Bytes bytes) {
    MemorySource source(bytes);
    Reader reader(source);
    return read_all(reader);
  }
  // Where each frame begins, by the sizes in their heads.
  std::vector<std::size_t> frames() const {
    std::vector<std::size_t> at;
    for (std::size_t i = 8; i < bytes_.size();) {
      at.push_back(i);
      std::uint32_t stored = 0;
      std::memcpy(&stored, bytes_.data() + i + 12, sizeof stored);
      i += 32 + stored;
    }
    return at;
  }

  std::vector<std::byte> bytes_;
};

TEST_F(GhostDamage, TruncationAtEveryByteIsRefused) {
  ASSERT_OK(read(bytes_));
  for (std::size_t size = 0; size < bytes_.size(); ++size) {
    // A copy of its own, so that a sanitizer sees a step over its end.
    const std::vector<std::byte> cut(bytes_.begin(), bytes_.begin() + static_cast<long>(size));
    const auto seen = read(cut);
    ASSERT_FALSE(seen) << size;
    EXPECT_EQ(seen.error(), Errc::corrupt) << size;
  }
}

TEST_F(GhostDamage, AFlipOfEveryByteIsRefused) {
  for (std::size_t i = 0; i < bytes_.size(); ++i) {
    for (const auto flip : {std::byte{0x01}, std::byte{0x80}, std::byte{0xff}}) {
      auto flipped = bytes_;
      flipped[i] ^= flip;
      ASSERT_FALSE(read(flipped)) << "byte " << i;
    }
  }
}

TEST_F(GhostDamage, AnExchangeOfTwoFramesIsRefused) {
  const auto at = frames();
  ASSERT_GT(at.size(), 8u);
  for (std::size_t i = 0; i + 2 < at.size(); ++i) {
    auto exchanged = bytes_;
    std::rotate(exchanged.begin() + static_cast<long>(at[i]),
                exchanged.begin() + static_cast<long>(at[i + 1]),
                exchanged.begin() + static_cast<long>(at[i + 2]));
    EXPECT_FALSE(read(exchanged)) << "frame " << i;
  }
}

TEST_F(GhostDamage, AFrameLeftOutIsRefused) {
  const auto at = frames();
  for (std::size_t i = 0; i + 1 < at.size(); ++i) {
    auto less = bytes_;
    less.erase(less.begin() + static_cast<long>(at[i]),
               less.begin() + static_cast<long>(at[i + 1]));
    EXPECT_FALSE(read(less)) << "frame " << i;
  }
}

TEST_F(GhostDamage, IsToldWithItsPlace) {
  const auto at = frames();
  auto flipped = bytes_;
  flipped[at[3] + 33] ^= std::byte{1};
  MemorySource source(flipped);
  Reader reader(source);
  EXPECT_FALSE(read_all(reader));
  EXPECT_EQ(reader.offset(), at[3]);
}

TEST_F(GhostDamage, AnotherFileIsNoArchive) {
  const auto other = noise(4096);
  EXPECT_EQ(read(other).error(), Errc::version_mismatch);
}

}  // namespace
}  // namespace krg::ghost
