#include "krg/proc/process.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>

#include "krg/testing/matchers.h"
#include "krg/testing/quiet_fork.h"

// What the kernel says of processes, and signals that reach nobody else.
namespace krg::proc {
namespace {

TEST(Process, IsReadFromTheKernel) {
  const auto self = read_process(::getpid());
  ASSERT_TRUE(self);
  EXPECT_EQ(self->pid, ::getpid());
  EXPECT_EQ(self->parent, ::getppid());
  EXPECT_EQ(self->session, ::getsid(0));
  EXPECT_EQ(self->state, 'R');
  EXPECT_GT(self->start, 0u);
  EXPECT_GE(self->threads, 1u);
  EXPECT_GT(self->resident_bytes, 4096u);
  EXPECT_EQ(owner_of(::getpid()), ::geteuid());
  EXPECT_NE(command_of(*self, 4096).find("unit_proc"), std::string::npos);
  EXPECT_EQ(command_of(*self, 3).size(), 3u);
  const auto all = all_processes();
  EXPECT_EQ(std::ranges::count(all, ::getpid(), &Process::pid), 1);
}

TEST(Process, ANameMayHoldAnything) {
  int named[2];
  ASSERT_EQ(::pipe2(named, O_CLOEXEC), 0);
  const pid_t child = krg::testing::quiet_fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    ::prctl(PR_SET_NAME, ") R 1 (a b");
    ::close(named[0]);
    ::close(named[1]);
    for (;;) ::pause();
  }
  ::close(named[1]);
  char none = 0;
  EXPECT_EQ(::read(named[0], &none, 1), 0) << "until the child has its name";
  ::close(named[0]);
  const auto seen = read_process(child);
  ASSERT_TRUE(seen);
  EXPECT_EQ(seen->name, ") R 1 (a b");
  EXPECT_EQ(seen->parent, ::getpid());
  ASSERT_OK(send_signal(*seen, 0));
  ASSERT_OK(send_signal(*seen, SIGKILL));
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
  EXPECT_EQ(send_signal(*seen, SIGKILL).error(), Errc::not_found);
}

TEST(Process, AnotherOneOfItsNumberGetsNoSignal) {
  auto other = *read_process(::getpid());
  ++other.start;
  EXPECT_EQ(send_signal(other, SIGKILL).error(), Errc::not_found);
  EXPECT_EQ(send_signal(*read_process(::getpid()), 1000).error(), Errc::invalid_argument);
}

TEST(Process, NoneIsNone) {
  EXPECT_FALSE(read_process(0));
  EXPECT_FALSE(read_process(0x7fffffff));
}

}  // namespace
}  // namespace krg::proc
