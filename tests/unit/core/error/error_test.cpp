#include "krg/error/error.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <set>
#include <string>

namespace krg {
namespace {

TEST(Errc, EveryCodeHasItsOwnValueATextAndAnErrno) {
  std::set<std::uint16_t> values;
#define KRG_ERRC(name, value, err, sentence)         \
  EXPECT_TRUE(values.insert(value).second) << #name; \
  EXPECT_EQ(text(Errc::name), sentence);             \
  EXPECT_EQ(to_errno(Errc::name), err);              \
  EXPECT_TRUE(is_errc(value));
#include "krg/error/errc.def"
#undef KRG_ERRC
}

TEST(Errc, CodesFromOutsideAreRecognised) {
  EXPECT_TRUE(is_errc(0));
  EXPECT_FALSE(is_errc(0xffff));
  EXPECT_EQ(text(static_cast<Errc>(0xffff)), "unknown error");
  EXPECT_EQ(to_errno(static_cast<Errc>(0xffff)), EIO);
}

TEST(Error, SaysWhoWhatAndWhy) {
  const Error error = Error(Errc::peer_down, "asking").with_peer(NodeId{3}).with_native(ECONNRESET);
  EXPECT_EQ(error.message(), "peer 3: asking: peer is down (Connection reset by peer)");
  EXPECT_EQ(Error(Errc::timed_out).message(), "timed out");
  EXPECT_EQ(Error(Errc::timed_out).with_native(-80).message(), "timed out (native -80)");
}

TEST(Error, APeerThatDoesNotFitIsNone) {
  EXPECT_FALSE(Error(Errc::peer_down).with_peer(kNoNode).has_peer());
  EXPECT_EQ(Error(Errc::peer_down).peer(), kNoNode);
  EXPECT_EQ(Error(Errc::peer_down).with_peer(NodeId{65534}).peer(), NodeId{65534});
}

TEST(Error, TakesErrno) {
  errno = ENOENT;
  const Error error = errno_error(Errc::system_error, "opening");
  EXPECT_EQ(error.native(), ENOENT);
  EXPECT_TRUE(error == Errc::system_error);
}

}  // namespace
}  // namespace krg
