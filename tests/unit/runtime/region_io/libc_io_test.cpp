// Goal    a program that links libc_io makes plain calls on regions, also where the kernel can not
//         wait for pages.
// Method  userfaultfd held to the user's faults; plain names, and those of _FORTIFY_SOURCE.
#include <cstring>

#include "../region/region_fixture.h"

extern "C" ssize_t __read_chk(int, void*, size_t, size_t);

namespace krg {
namespace {

TEST_F(RegionTest, PlainCallsGoThroughMemoryOfTheProcess) {
  ::setenv("KRG_REGION_FAULTS", "user", 1);
  const Region region = open("plain", 1 << 20);
  ::unsetenv("KRG_REGION_FAULTS");
  ASSERT_FALSE(region.serves_system_calls());
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  char* const text = reinterpret_cast<char*>(region.data()) + 8190;
  ASSERT_EQ(::write(ends[1], "hello, all", 10), 10);
  ASSERT_EQ(::read(ends[0], text, 5), 5) << std::strerror(errno);
  ASSERT_EQ(__read_chk(ends[0], text + 90'000, 5, 5), 5) << std::strerror(errno);
  EXPECT_EQ(std::memcmp(text, "hello", 5), 0);
  EXPECT_EQ(std::memcmp(text + 90'000, ", all", 5), 0);
  ASSERT_EQ(::write(ends[1], text + 400'000, 5), 5);  // Zeros, of a page nobody has touched.
  char got[5];
  ASSERT_EQ(::read(ends[0], got, 5), 5);
  EXPECT_EQ(got[4], 0);
  ::close(ends[0]);
  ::close(ends[1]);
}

}  // namespace
}  // namespace krg
