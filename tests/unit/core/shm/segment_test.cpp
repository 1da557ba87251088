#include "krg/shm/segment.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

namespace krg::shm {
namespace {

TEST(ShmSegment, TwoMappingsAreTheSameMemory) {
  auto first = Segment::create("test", 8192);
  ASSERT_TRUE(first);
  EXPECT_EQ(first->bytes()[4096], std::byte{0});
  auto second = Segment::adopt(UniqueFd(dup(first->fd())), 8192);
  ASSERT_TRUE(second);
  first->bytes()[4096] = std::byte{42};
  EXPECT_EQ(second->bytes()[4096], std::byte{42});
  EXPECT_NE(first->bytes().data(), second->bytes().data());
}

TEST(ShmSegment, NobodyCanCutItUnderAnother) {
  auto segment = Segment::create("test", 8192);
  ASSERT_TRUE(segment);
  EXPECT_NE(ftruncate(segment->fd(), 4096), 0);
  EXPECT_NE(ftruncate(segment->fd(), 16384), 0);
}

TEST(ShmSegment, AnotherSizeOrAnUnsealedFileIsRefused) {
  auto segment = Segment::create("test", 8192);
  ASSERT_TRUE(segment);
  EXPECT_FALSE(Segment::adopt(UniqueFd(dup(segment->fd())), 4096));
  UniqueFd unsealed(memfd_create("test", MFD_CLOEXEC));
  ASSERT_EQ(ftruncate(unsealed.get(), 4096), 0);
  EXPECT_FALSE(Segment::adopt(std::move(unsealed), 4096));
  EXPECT_FALSE(Segment::adopt(UniqueFd(), 4096));
}

TEST(ShmSegment, WhatOnlyItsCreatorWritesOthersCanOnlyMapToRead) {
  auto segment = Segment::create("test", 4096, Segment::Writers::creator);
  ASSERT_TRUE(segment);
  EXPECT_FALSE(Segment::adopt(UniqueFd(dup(segment->fd())), 4096));
  auto reader = Segment::adopt(UniqueFd(dup(segment->fd())), 4096, Segment::Access::read_only);
  ASSERT_TRUE(reader);
  segment->bytes()[7] = std::byte{7};
  EXPECT_EQ(reader->bytes()[7], std::byte{7});
}

TEST(ShmSegment, OffsetsAreCheckedAgainstItsEndAndAlignment) {
  auto segment = Segment::create("test", 4096);
  ASSERT_TRUE(segment);
  auto* last = segment->at(Offset<std::uint64_t>{4088});
  ASSERT_NE(last, nullptr);
  EXPECT_EQ(segment->offset_of(last), Offset<std::uint64_t>{4088});
  EXPECT_EQ(segment->at(Offset<std::uint64_t>{4096}), nullptr);
  EXPECT_EQ(segment->at(Offset<std::uint64_t>{4084}), nullptr);
  EXPECT_EQ(segment->at(Offset<std::uint64_t>{4088}, 2), nullptr);
  EXPECT_EQ(segment->at(Offset<std::uint64_t>{~std::uint64_t{7}}), nullptr);
  EXPECT_EQ(segment->at(Offset<std::uint64_t>{8}, ~std::size_t{0}), nullptr);
}

TEST(ShmSegment, AMoveLeavesNothingBehind) {
  auto segment = Segment::create("test", 4096);
  ASSERT_TRUE(segment);
  Segment moved = std::move(*segment);
  EXPECT_FALSE(*segment);
  EXPECT_TRUE(moved);
  moved = Segment();
  EXPECT_FALSE(moved);
}

}  // namespace
}  // namespace krg::shm
