// Errors that came without text say what they are about.
#include "why.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>

namespace krg::kddm {
namespace {

using ::testing::HasSubstr;

TEST(Why, EveryErrorOfEverySubjectHasAText) {
  for (int s = 0; s <= static_cast<int>(Subject::name); ++s) {
    for (std::uint16_t code = 1; code < 200; ++code) {
      if (!is_errc(code)) continue;
      const Error bare(static_cast<Errc>(code));
      const Error named = about(static_cast<Subject>(s), bare);
      ASSERT_NE(named.what(), nullptr) << s << ' ' << code;
      EXPECT_EQ(named.code(), bare.code());
    }
  }
}

TEST(Why, WhatIsSaidAlreadyStays) {
  const Error krgd_gone(Errc::peer_down, "krgd is gone");
  EXPECT_EQ(about(Subject::object, krgd_gone).what(), krgd_gone.what());
}

TEST(Why, APeerAndAStatusStay) {
  const Error named =
      about(Subject::flush, Error(Errc::no_space).with_native(ENOSPC).with_peer(NodeId{3}));
  EXPECT_EQ(named.peer(), NodeId{3});
  EXPECT_EQ(named.native(), ENOSPC);
  EXPECT_THAT(named.message(), HasSubstr("the set's linker"));
}

TEST(Why, TheSameCodeIsOfDifferentThings) {
  const auto says = [](Subject subject, Errc code) {
    return about(subject, Error(code)).message();
  };
  EXPECT_THAT(says(Subject::object, Errc::not_found), HasSubstr("no such set"));
  EXPECT_THAT(says(Subject::existing, Errc::not_found), HasSubstr("no such object"));
  EXPECT_THAT(says(Subject::name, Errc::not_found), HasSubstr("no set of this name"));
  EXPECT_THAT(says(Subject::object, Errc::invalid_argument), HasSubstr("an object id"));
  EXPECT_THAT(says(Subject::size, Errc::invalid_argument), HasSubstr("a size"));
  EXPECT_THAT(says(Subject::object, Errc::limit_reached), HasSubstr("more leases"));
  EXPECT_THAT(says(Subject::flush, Errc::limit_reached), HasSubstr("no other node"));
  EXPECT_THAT(says(Subject::object, Errc::no_space), HasSubstr("no room"));
  EXPECT_THAT(says(Subject::sync, Errc::no_space), HasSubstr("the set's linker"));
  EXPECT_THAT(says(Subject::whole, Errc::no_space), HasSubstr("the set's linker"));
}

}  // namespace
}  // namespace krg::kddm
