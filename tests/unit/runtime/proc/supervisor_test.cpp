#include "krg/proc/supervisor.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <string>

#include "krg/proc/descendants.h"
#include "krg/reactor/reactor.h"

namespace krg::proc {
namespace {

using namespace std::chrono_literals;

class SupervisorTest : public ::testing::Test, protected TaskObserver {
 protected:
  void SetUp() override { ASSERT_TRUE(become_reaper()); }

  void on_output(TaskId task, Stream stream, std::span<const std::byte> text) override {
    EXPECT_FALSE(exits.contains(task)) << "output after the exit";
    (stream == Stream::out ? out : err)[task].append(reinterpret_cast<const char*>(text.data()),
                                                     text.size());
    ++chunks;
  }
  void on_input_room(TaskId) override { ++rooms; }
  void on_exit(TaskId task, const ExitStatus& status) override {
    EXPECT_TRUE(exits.emplace(task, status).second) << "an exit told twice";
  }

  // Turns the reactor until `done`, at most 30 s.
  template <class F>
  bool until(F done) {
    const auto end = std::chrono::steady_clock::now() + 30s;
    while (!done()) {
      if (std::chrono::steady_clock::now() > end) return false;
      if (!reactor.turn()) sched_yield();
    }
    return true;
  }
  bool until_exits(std::size_t n) {
    return until([&] { return exits.size() >= n; });
  }
  bool clear(std::uint32_t group) {
    bool done = false, clean = false;
    auto body = [&]() -> Co<void> {
      clean = co_await supervisor.clear_group(group, reactor.after(10s));
      done = true;
    };
    reactor.spawn(body());
    return until([&] { return done; }) && clean;
  }
  Result<TaskId> sh(const std::string& script, Input input = Input::none, std::uint32_t group = 1) {
    return supervisor.spawn(
        {.argv = {"sh", "-c", script}, .env = env, .input = input, .group = group}, *this);
  }
  static std::size_t open_descriptors() {
    std::size_t n = 0;
    for ([[maybe_unused]] const auto& e : std::filesystem::directory_iterator("/proc/self/fd")) ++n;
    return n;
  }
  static bool gone(const std::string& pid) {
    return kill(std::stoi(pid), 0) != 0 && errno == ESRCH;
  }

  reactor::RealClock clock;
  reactor::Reactor reactor{clock};
  Supervisor supervisor{reactor};
  const std::vector<std::string> env = {"PATH=/usr/bin:/bin", "WHO=task"};
  std::map<TaskId, std::string> out, err;
  std::map<TaskId, ExitStatus> exits;
  int chunks = 0, rooms = 0;
};

// Goal    no child's end is missed, however fast it dies, and nothing leaks.
// Method  64 children that end at once, 100 times; then count descriptors and children.
TEST_F(SupervisorTest, SixtyFourShortTasksAHundredTimesAreAllReaped) {
  const std::size_t before = open_descriptors();
  for (int round = 1; round <= 100; ++round) {
    for (int i = 0; i < 64; ++i) {
      ASSERT_TRUE(supervisor.spawn({.argv = {"true"}, .env = env, .group = 1}, *this));
    }
    ASSERT_TRUE(until_exits(static_cast<std::size_t>(round) * 64)) << exits.size();
  }
  for (const auto& [task, status] : exits) EXPECT_TRUE(status.success());
  EXPECT_EQ(supervisor.running(), 0u);
  EXPECT_TRUE(descendants().empty());
  EXPECT_EQ(open_descriptors(), before);
}

TEST_F(SupervisorTest, TellsExitCodesAndSignals) {
  const auto a = sh("exit 3"), b = sh("kill -9 $$"), c = sh("kill -SEGV $$");
  ASSERT_TRUE(a && b && c);
  ASSERT_TRUE(until_exits(3));
  EXPECT_EQ(exits[*a].code, 3);
  EXPECT_EQ(exits[*b].signal, SIGKILL);
  EXPECT_EQ(exits[*c].signal, SIGSEGV);
}

TEST_F(SupervisorTest, SaysWhatIsMissingAndLeavesNothing) {
  const std::size_t before = open_descriptors();
  const auto program = supervisor.spawn({.argv = {"/no/such/program"}, .env = env}, *this);
  ASSERT_FALSE(program);
  EXPECT_EQ(program.error(), Errc::not_found);
  EXPECT_STREQ(program.error().what(), "no such program");
  const auto directory = supervisor.spawn(
      {.argv = {"true"}, .env = env, .working_directory = "/no/such/place"}, *this);
  ASSERT_FALSE(directory);
  EXPECT_STREQ(directory.error().what(), "the working directory can not be entered");
  EXPECT_EQ(supervisor.spawn({.argv = {"/etc/passwd"}, .env = env}, *this).error(), Errc::denied);
  EXPECT_EQ(supervisor.spawn({.argv = {"true"}, .env = env, .cpus = {9999}}, *this).error(),
            Errc::invalid_argument);
  EXPECT_EQ(supervisor.spawn({}, *this).error(), Errc::invalid_argument);
  EXPECT_EQ(open_descriptors(), before);
  EXPECT_TRUE(descendants().empty());
}

TEST_F(SupervisorTest, GivesExactlyTheEnvironmentDirectoryAndProcessors) {
  const auto task = supervisor.spawn(
      {.argv = {"sh", "-c",
                "echo $WHO; pwd; grep Cpus_allowed_list /proc/self/status; env | wc -l"},
       .env = env,
       .working_directory = "/tmp",
       .cpus = {1}},
      *this);
  ASSERT_TRUE(task);
  ASSERT_TRUE(until_exits(1));
  EXPECT_EQ(out[*task],
            "task\n/tmp\nCpus_allowed_list:\t1\n3\n");  // PATH, WHO and the shell's PWD.
}

TEST_F(SupervisorTest, TheTaskHasOnlyTheDescriptorsItWasGiven) {
  const UniqueFd leak(open("/dev/zero", O_RDONLY));  // Not close-on-exec, as a library would.
  int pair[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
  const UniqueFd mine(pair[0]), given(pair[1]);
  // The source of one is the target of the other.
  const auto task = supervisor.spawn(
      {.argv = {"sh", "-c", "ls /proc/self/fd | sort -n | tr '\\n' ' '; echo hi >&5"},
       .env = env,
       .fds = {{given.get(), 5}, {mine.get(), given.get()}}},
      *this);
  ASSERT_TRUE(task);
  ASSERT_TRUE(until_exits(1));
  // ls itself opens one more, the lowest free.
  const std::string with_ls = "0 1 2 3 5 " + std::to_string(given.get()) + " ";
  EXPECT_EQ(out[*task], with_ls);
  char text[3] = {};
  EXPECT_EQ(read(mine.get(), text, 3), 3);
}

TEST_F(SupervisorTest, TheTaskHasASessionDefaultHandlersAndNoBlockedSignals) {
  const auto old = signal(SIGUSR1, SIG_IGN);
  const auto task = supervisor.spawn(
      {.argv = {"sh", "-c",
                "cut -d' ' -f1,6 /proc/$$/stat; exec grep -E 'SigBlk|SigIgn' /proc/self/status"},
       .env = env},
      *this);
  signal(SIGUSR1, old);
  ASSERT_TRUE(task);
  const std::string pid = std::to_string(supervisor.pid(*task));
  ASSERT_TRUE(until_exits(1));
  EXPECT_EQ(out[*task],
            pid + " " + pid + "\nSigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n");
}

TEST_F(SupervisorTest, AScriptWithoutInterpreterLineRunsInTheShell) {
  const std::string path = ::testing::TempDir() + "/krg-proc-script-" + std::to_string(getpid());
  {
    const UniqueFd file(open(path.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0755));
    const std::string text = "echo script $1\n";
    ASSERT_EQ(write(file.get(), text.data(), text.size()), static_cast<ssize_t>(text.size()));
  }
  const auto task = supervisor.spawn({.argv = {path, "one"}, .env = env}, *this);
  ASSERT_TRUE(task);
  ASSERT_TRUE(until_exits(1));
  EXPECT_EQ(out[*task], "script one\n");
  unlink(path.c_str());
}

TEST_F(SupervisorTest, KeepsStreamsApartAndCompleteToTheLastByte) {
  const auto task = sh("echo a; echo b >&2; printf 'no newline'; seq 100000 >&2");
  ASSERT_TRUE(task);
  ASSERT_TRUE(until_exits(1));
  EXPECT_EQ(out[*task], "a\nno newline");
  EXPECT_EQ(err[*task].size(), 2 + 588895u);
  EXPECT_EQ(err[*task].substr(0, 4), "b\n1\n");
}

TEST_F(SupervisorTest, AGrandchildThatHoldsThePipesDoesNotHideTheExit) {
  const auto task = sh("sleep 1000 & echo $!");
  ASSERT_TRUE(task);
  ASSERT_TRUE(until_exits(1));
  EXPECT_FALSE(gone(out[*task]));
  EXPECT_TRUE(clear(1));
  EXPECT_TRUE(until([] { return descendants().empty(); }));
}

TEST_F(SupervisorTest, ClearGroupKillsWhatHasLeftTheSession) {
  const auto task = sh("setsid sh -c '(trap \"\" TERM; sleep 1000) & echo $!; wait' & wait");
  const auto other = sh("echo up; sleep 1000", Input::none, 2);
  ASSERT_TRUE(task && other);
  ASSERT_TRUE(until([&] { return !out[*task].empty() && !out[*other].empty(); }));
  EXPECT_TRUE(clear(1));
  EXPECT_TRUE(until([&] { return gone(out[*task]); }));
  EXPECT_TRUE(until([&] { return supervisor.running() == 1; }));
  EXPECT_NE(supervisor.pid(*other), 0) << "the other group lives";
  EXPECT_TRUE(clear(2));
  EXPECT_TRUE(until_exits(2));
  EXPECT_EQ(exits[*task].signal, SIGKILL);
}

TEST_F(SupervisorTest, ASignalReachesTheWholeProcessGroup) {
  const auto task =
      sh("sh -c 'trap \"echo inner; exit\" USR1; echo up; while :; do sleep 0.01; done' & "
         "trap 'wait; exit 5' USR1; wait");
  ASSERT_TRUE(task);
  ASSERT_TRUE(until([&] { return !out[*task].empty(); }));
  EXPECT_TRUE(supervisor.signal(*task, SIGUSR1));
  ASSERT_TRUE(until_exits(1));
  EXPECT_EQ(out[*task], "up\ninner\n");
  EXPECT_EQ(exits[*task].code, 5);
  EXPECT_EQ(supervisor.signal(*task, SIGUSR1).error(), Errc::not_found);
}

TEST_F(SupervisorTest, InputIsFedWithBackPressureAndEnds) {
  const auto task = sh("read line; echo got $line; wc -c", Input::pipe);
  ASSERT_TRUE(task);
  std::string block = "hello\n" + std::string(100'000, 'x');
  std::size_t sent = 0;
  Status status;
  while ((status = supervisor.write_input(*task, std::as_bytes(std::span(block))))) {
    sent += block.size();
    ASSERT_LT(sent, 10'000'000u) << "the queue has no bound";
  }
  EXPECT_EQ(status.error(), Errc::would_block);
  ASSERT_TRUE(until([&] { return rooms > 0; }));
  supervisor.close_input(*task);
  EXPECT_EQ(supervisor.write_input(*task, {}).error(), Errc::end_of_stream);
  ASSERT_TRUE(until_exits(1));
  EXPECT_EQ(out[*task], "got hello\n" + std::to_string(sent - 6) + "\n");
}

TEST_F(SupervisorTest, ATaskThatClosesItsInputHarmsNobody) {
  const auto task = sh("exec <&-; echo up; sleep 1000", Input::pipe);
  ASSERT_TRUE(task);
  ASSERT_TRUE(until([&] { return !out[*task].empty(); }));
  const std::string text = "x";
  (void)supervisor.write_input(*task, std::as_bytes(std::span(text)));
  EXPECT_EQ(supervisor.write_input(*task, std::as_bytes(std::span(text))).error(),
            Errc::end_of_stream);
  EXPECT_TRUE(clear(1));
}

// Goal    while paused nothing is read, the exit waits, and nothing is lost.
TEST_F(SupervisorTest, PausedOutputWaitsInThePipe) {
  supervisor.pause_output(1);
  const auto task = sh("echo one; echo two >&2");
  const auto other = sh("echo other", Input::none, 2);
  ASSERT_TRUE(task && other);
  ASSERT_TRUE(until([&] { return supervisor.running() == 0; }));
  EXPECT_EQ(exits.size(), 1u);
  EXPECT_EQ(out[*task], "");
  supervisor.resume_output(1);
  ASSERT_TRUE(until_exits(2));
  EXPECT_EQ(out[*task], "one\n");
  EXPECT_EQ(err[*task], "two\n");
}

}  // namespace
}  // namespace krg::proc
