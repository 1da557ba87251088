#include "krg/proc/guard.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

#include "krg/proc/descendants.h"

namespace krg::proc {
namespace {

// Goal    whatever a killed daemon had started is dead when its guard has ended.
// Method  a daemon starts a child in a session of its own, which starts a grandchild and leaves;
// all hold the
//         write end of a pipe, which reads as closed only when all are gone.
TEST(Guard, KillsWhatAKilledDaemonLeftBehind) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  const pid_t guard = fork();
  ASSERT_GE(guard, 0);
  if (guard == 0) {
    close(ends[0]);
    if (!guard_this_process({})) _exit(99);
    if (fork() == 0) {
      setsid();
      if (fork() == 0) {
        setsid();
        const char byte = 'x';
        if (write(ends[1], &byte, 1) != 1) _exit(98);
        while (true) pause();
      }
      _exit(0);
    }
    while (true) pause();
  }
  close(ends[1]);
  char byte = 0;
  ASSERT_EQ(read(ends[0], &byte, 1), 1);
  // The daemon is the guard's child that is not of the grandchild's session.
  pid_t daemon = 0;
  for (const Descendant& one : descendants()) {
    if (one.parent == guard && one.session == getsid(0)) daemon = one.pid;
  }
  ASSERT_NE(daemon, 0);
  ASSERT_EQ(kill(daemon, SIGKILL), 0);
  int status = 0;
  ASSERT_EQ(waitpid(guard, &status, 0), guard);
  EXPECT_TRUE(WIFSIGNALED(status));
  EXPECT_EQ(WTERMSIG(status), SIGKILL);
  ASSERT_EQ(fcntl(ends[0], F_SETFL, O_NONBLOCK), 0);
  EXPECT_EQ(read(ends[0], &byte, 1), 0) << "somebody still holds the pipe";
  close(ends[0]);
}

TEST(Guard, CleansUpAndEndsWithTheDaemonsExitCode) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  const pid_t guard = fork();
  ASSERT_GE(guard, 0);
  if (guard == 0) {
    GuardOptions options;
    options.afterwards = [&] { (void)!write(ends[1], "clean", 5); };
    if (!guard_this_process(options)) _exit(99);
    _exit(7);
  }
  close(ends[1]);
  char word[6] = {};
  EXPECT_EQ(read(ends[0], word, 5), 5);
  EXPECT_STREQ(word, "clean");
  close(ends[0]);
  int status = 0;
  ASSERT_EQ(waitpid(guard, &status, 0), guard);
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 7);
}

TEST(Guard, KillsADaemonThatIsToldToEndAndDoesNot) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  const pid_t guard = fork();
  ASSERT_GE(guard, 0);
  if (guard == 0) {
    if (!guard_this_process({})) _exit(99);
    signal(SIGTERM, SIG_IGN);
    if (write(ends[1], "x", 1) != 1) _exit(98);
    while (true) pause();
  }
  char byte = 0;
  ASSERT_EQ(read(ends[0], &byte, 1), 1);
  ASSERT_EQ(kill(guard, SIGTERM), 0);
  int status = 0;
  ASSERT_EQ(waitpid(guard, &status, 0), guard);
  EXPECT_TRUE(WIFSIGNALED(status));
  EXPECT_EQ(WTERMSIG(status), SIGKILL);
  close(ends[0]);
  close(ends[1]);
}

}  // namespace
}  // namespace krg::proc
