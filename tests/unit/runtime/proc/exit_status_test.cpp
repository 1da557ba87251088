#include "krg/proc/exit_status.h"

#include <gtest/gtest.h>

#include <csignal>

namespace krg::proc {
namespace {

TEST(ExitStatus, NamesTheSignalThatKilled) {
  EXPECT_EQ((ExitStatus{.signal = SIGKILL}).describe(), "was killed by signal 9 (SIGKILL)");
  EXPECT_EQ((ExitStatus{.signal = SIGSEGV, .core_dumped = true}).describe(),
            "was killed by signal 11 (SIGSEGV), core dumped");
  EXPECT_EQ((ExitStatus{.signal = SIGKILL, .out_of_memory = true}).describe(),
            "was killed by signal 9 (SIGKILL), out of memory");
  EXPECT_EQ((ExitStatus{.code = 3}).describe(), "exited with code 3");
}

TEST(ExitStatus, GivesWhatAShellWouldShow) {
  EXPECT_EQ((ExitStatus{.code = 3}).shell_code(), 3);
  EXPECT_EQ((ExitStatus{.signal = SIGTERM}).shell_code(), 143);
}

TEST(ExitStatus, ReadsSignalNamesAndNumbers) {
  EXPECT_EQ(signal_number("SIGUSR1"), SIGUSR1);
  EXPECT_EQ(signal_number("usr1"), 0);
  EXPECT_EQ(signal_number("TERM"), SIGTERM);
  EXPECT_EQ(signal_number("12"), 12);
  EXPECT_EQ(signal_number("0"), 0);
  EXPECT_EQ(signal_number("4711"), 0);
  EXPECT_EQ(signal_number(""), 0);
}

}  // namespace
}  // namespace krg::proc
