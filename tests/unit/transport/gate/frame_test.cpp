#include "krg/gate/frame.h"

#include <gtest/gtest.h>

namespace krg::gate {
namespace {

TEST(GateFrame, CheckAcceptsEveryKindAndRefusesTheRest) {
  for (int kind = 0; kind < 256; ++kind) {
    FrameHeader header;
    header.kind = static_cast<FrameKind>(kind);
    EXPECT_EQ(check(header).has_value(), kind >= 1 && kind <= 6) << kind;
  }
}

TEST(GateFrame, CheckHoldsTheBounds) {
  FrameHeader header;
  header.kind = FrameKind::item;
  header.size = kBodyMax;
  header.fds = kFdsMax;
  EXPECT_TRUE(check(header));
  header.size = kBodyMax + 1;
  EXPECT_FALSE(check(header));
  header.size = 0;
  header.fds = kFdsMax + 1;
  EXPECT_FALSE(check(header));
}

TEST(GateFrame, AnErrorSurvivesTheReply) {
  const Error error = Error(Errc::peer_down).with_native(-7).with_peer(NodeId{12});
  const Error back = error_of(reply_header(1, error));
  EXPECT_EQ(back.code(), Errc::peer_down);
  EXPECT_EQ(back.native(), -7);
  EXPECT_EQ(back.peer(), NodeId{12});
  EXPECT_FALSE(error_of(reply_header(1, Error(Errc::cancelled))).has_peer());
}

TEST(GateFrame, AnUnknownErrorCodeIsAProtocolError) {
  FrameHeader header = reply_header(1, Error(Errc::cancelled));
  header.code = 9999;
  EXPECT_EQ(error_of(header).code(), Errc::protocol_error);
}

}  // namespace
}  // namespace krg::gate
