// What one Kddm says to another, as bytes: what is encoded is decoded, and any other bytes are not.
#include "envelope.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>

namespace krg::kddm {
namespace {

Round round_of(std::size_t count) {
  Round round;
  round.set = SetId{77};
  round.message = {.kind = Kind::done, .copy = Copy::read, .flags = kKeep, .node = NodeId{3}};
  round.count = count;
  for (std::size_t i = 0; i < count; ++i) round.objects[i] = ObjectId{1000 + 3 * i};
  return round;
}

TEST(Envelope, ARoundIsDecodedAsItWas) {
  for (const std::size_t count : {std::size_t{1}, std::size_t{2}, Round::kMax}) {
    const Round sent = round_of(count);
    std::array<std::byte, kRoundBytesMax> room;
    const wire::Bytes bytes = encode(sent, room);
    ASSERT_EQ(word_of(bytes), Word::objects);
    Round got;
    ASSERT_TRUE(decode_round(bytes, got));
    EXPECT_EQ(got.set, sent.set);
    EXPECT_EQ(got.message, sent.message);
    ASSERT_EQ(got.count, count);
    EXPECT_TRUE(std::equal(got.objects.begin(), got.objects.begin() + count, sent.objects.begin()));
  }
}

TEST(Envelope, ARoundOfAnyOtherLengthIsMalformed) {
  std::array<std::byte, kRoundBytesMax> room;
  const wire::Bytes bytes = encode(round_of(Round::kMax), room);
  constexpr std::size_t kFront = kEnvelopeBytes - sizeof(ObjectId);
  Round got;
  for (std::size_t size = 1; size <= bytes.size(); ++size) {
    const bool whole = size > kFront && (size - kFront) % sizeof(ObjectId) == 0;
    EXPECT_EQ(decode_round(bytes.first(size), got), whole) << size;
  }
  std::vector<std::byte> more(bytes.begin(), bytes.end());
  more.resize(more.size() + sizeof(ObjectId));
  EXPECT_FALSE(decode_round(more, got));
}

TEST(Envelope, ARoundHasNoDataAndNoOps) {
  std::array<std::byte, kRoundBytesMax> room;
  Round got;
  Round round = round_of(2);
  for (unsigned kind = 0; kind < kKinds; ++kind) {
    round.message.kind = static_cast<Kind>(kind);
    const bool may = !is_op(round.message.kind) && round.message.kind != Kind::data;
    EXPECT_EQ(decode_round(encode(round, room), got), may) << kind;
  }
}

}  // namespace
}  // namespace krg::kddm
