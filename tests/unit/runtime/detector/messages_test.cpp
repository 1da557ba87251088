#include "krg/detector/messages.h"

#include <gtest/gtest.h>

#include "krg/testing/matchers.h"

namespace krg::detector::testing {
namespace {

std::vector<Message> samples() {
  const Probe probe{Incarnation{2}, Incarnation{3}, 123'456'789'012u};
  const Charge charge{NodeId{7}, Incarnation{3}, Reason::fabric};
  const Report full{Epoch{5}, Incarnation{2}, 9, std::vector<Charge>(kChargesMax, charge)};
  return {probe, Ack{probe}, full, Report{Epoch{5}, Incarnation{2}, 10, {}},
          Hint{Epoch{5}, charge}};
}

TEST(DetectorMessages, EveryMessageComesBackAsItWas) {
  for (const Message& message : samples()) {
    const auto bytes = encode(message);
    EXPECT_LE(bytes.size(), kDatagramMax);
    const auto again = decode(bytes);
    ASSERT_OK(again);
    EXPECT_EQ(*again, message);
  }
}

TEST(DetectorMessages, ShortenedAndLengthenedOnesAreRefused) {
  for (const Message& message : samples()) {
    auto bytes = encode(message);
    for (std::size_t size = 0; size < bytes.size(); ++size) {
      EXPECT_ERROR(decode(Bytes(bytes).first(size)), Errc::protocol_error);
    }
    bytes.push_back(std::byte{});
    EXPECT_ERROR(decode(bytes), Errc::protocol_error);
  }
}

TEST(DetectorMessages, UnknownKindsReasonsNodesAndCountsAreRefused) {
  auto bytes = encode(samples()[0]);
  for (const unsigned kind : {0u, 5u, 255u}) {
    bytes[0] = std::byte(kind);
    EXPECT_ERROR(decode(bytes), Errc::protocol_error);
  }
  const Charge no_reason{NodeId{7}, Incarnation{3}, Reason{3}};
  EXPECT_ERROR(decode(encode(Hint{Epoch{1}, no_reason})), Errc::protocol_error);
  const Charge nobody{kNoNode, Incarnation{3}, Reason::silent};
  EXPECT_ERROR(decode(encode(Hint{Epoch{1}, nobody})), Errc::protocol_error);

  auto report = encode(samples()[3]);
  report[1 + 4 + 4 + 8] = std::byte{1};  // One charge, of which there are no bytes.
  EXPECT_ERROR(decode(report), Errc::protocol_error);
}

}  // namespace
}  // namespace krg::detector::testing
