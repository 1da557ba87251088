#include "krg/epm/image.h"

#include <gtest/gtest.h>

namespace krg::epm {
namespace {

Image sample() {
  Image image;
  image.pid = 7;
  image.threads.resize(2);
  image.threads[0].tid = 7;
  image.threads[1].tid = 9;
  image.threads[1].pending.emplace_back();
  image.mappings.resize(2);
  image.mappings[0] = {0x1000, 0x5000, 0,  3,  MappingImage::Kind::anonymous,
                       false,  false,  "", {}, {{0x2000, 0x3000}}};
  image.mappings[1] = {0x5000, 0x6000, 0,    1,         MappingImage::Kind::file,
                       false,  false,  "/a", {1, 2, 3}, {}};
  image.files.resize(1);
  image.files[0].fd = 3;
  image.actions.push_back({10, {1, 2, 3, 4}});
  return image;
}

TEST(Image, TravelsAsItIs) {
  const Image image = sample();
  ASSERT_TRUE(check(image));
  const auto bytes = wire::encode(image);
  const auto again = wire::decode<Image>(bytes);
  ASSERT_TRUE(again);
  EXPECT_EQ(wire::encode(*again), bytes);
  EXPECT_TRUE(check(*again));
}

TEST(Image, IsRefusedWhereverItIsCut) {
  const auto bytes = wire::encode(sample());
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_FALSE(wire::decode<Image>(std::span(bytes).first(size))) << size;
  }
}

// What each change makes of it must be noticed.
TEST(Image, IsRefusedIfItsNumbersMakeNoSense) {
  const auto refused = [](auto change) {
    Image image = sample();
    change(image);
    const Status checked = check(image);
    return !checked && checked.error() == Errc::corrupt;
  };
  EXPECT_TRUE(refused([](Image& i) { i.mappings[1].begin = 0x4000; }));
  EXPECT_TRUE(refused([](Image& i) { i.mappings[0].end = 0x4001; }));
  EXPECT_TRUE(refused([](Image& i) { i.mappings[1].end = std::uint64_t{1} << 48; }));
  EXPECT_TRUE(refused([](Image& i) { i.mappings[0].present[0].second = 0x6000; }));
  EXPECT_TRUE(refused([](Image& i) { i.mappings[0].protection = 8; }));
  EXPECT_TRUE(refused([](Image& i) { i.mappings[0].kind = static_cast<MappingImage::Kind>(9); }));
  EXPECT_TRUE(refused([](Image& i) { i.threads.clear(); }));
  EXPECT_TRUE(refused([](Image& i) { i.threads[0].tid = 8; }));
  EXPECT_TRUE(refused([](Image& i) { i.threads[1].tid = 7; }));
  EXPECT_TRUE(refused([](Image& i) { i.threads[1].extended.resize(1 << 20); }));
  EXPECT_TRUE(refused([](Image& i) { i.files[0].fd = -1; }));
  EXPECT_TRUE(refused([](Image& i) { i.files[0].kind = static_cast<FileImage::Kind>(9); }));
  EXPECT_TRUE(refused([](Image& i) { i.files.push_back(i.files[0]); }));
  EXPECT_TRUE(refused([](Image& i) { i.actions[0].signal = 65; }));
}

}  // namespace
}  // namespace krg::epm
