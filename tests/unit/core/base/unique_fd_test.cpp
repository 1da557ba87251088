#include "krg/base/unique_fd.h"

#include <fcntl.h>
#include <gtest/gtest.h>

namespace krg {
namespace {

bool open_now(int fd) { return fcntl(fd, F_GETFD) >= 0; }
int null() { return open("/dev/null", O_RDONLY | O_CLOEXEC); }

TEST(UniqueFd, ClosesAtItsEnd) {
  int raw = -1;
  {
    const UniqueFd fd(null());
    raw = fd.get();
    EXPECT_TRUE(open_now(raw));
  }
  EXPECT_FALSE(open_now(raw));
}

TEST(UniqueFd, MovingLeavesNothing) {
  UniqueFd a(null());
  const int raw = a.get();
  UniqueFd b(std::move(a));
  EXPECT_FALSE(a);
  EXPECT_EQ(b.get(), raw);
  a = std::move(b);
  EXPECT_EQ(a.get(), raw);
  UniqueFd& same = a;
  a = std::move(same);
  EXPECT_TRUE(open_now(raw));
}

TEST(UniqueFd, AssigningClosesWhatWasThere) {
  UniqueFd a(null());
  const int first = a.get();
  a = UniqueFd(null());
  EXPECT_NE(a.get(), first);
  EXPECT_FALSE(open_now(first));
}

TEST(UniqueFd, ReleaseGivesUpOwnership) {
  UniqueFd a(null());
  const int raw = a.release();
  EXPECT_FALSE(a);
  EXPECT_TRUE(open_now(raw));
  close(raw);
}

}  // namespace
}  // namespace krg
