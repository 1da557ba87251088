#include "job.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>

#include "krg/base/unique_fd.h"

namespace krg::bench {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

// How long a launcher that was asked to end its job may take for it.
constexpr milliseconds kLastWords{5000};

[[noreturn]] void become(const Command& command, int output) {
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  setpgid(0, 0);
  dup2(output, STDOUT_FILENO);
  std::vector<char*> words;
  for (const std::string& word : command) words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);
  execvp(words[0], words.data());
  std::perror(words[0]);
  _exit(127);
}

// False: time is up, and the output still open.
bool read_until(int fd, Clock::time_point limit, std::string& text) {
  for (;;) {
    const auto left = std::chrono::duration_cast<milliseconds>(limit - Clock::now());
    if (left.count() <= 0) return false;
    pollfd readable{fd, POLLIN, 0};
    if (poll(&readable, 1, static_cast<int>(left.count())) <= 0) continue;
    std::array<char, 4096> some{};
    const ssize_t n = read(fd, some.data(), some.size());
    if (n <= 0) return true;
    text.append(some.data(), static_cast<std::size_t>(n));
  }
}

}  // namespace

Result<std::string> run_job(const Command& command, std::chrono::seconds patience) {
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) return Error(Errc::system_error, "a pipe for a job");
  const UniqueFd in(ends[0]);
  UniqueFd out(ends[1]);
  const pid_t pid = fork();
  if (pid < 0) return Error(Errc::system_error, "a process for a job");
  if (pid == 0) become(command, out.get());
  out.reset();
  std::string text;
  std::string rest;
  const bool ended = read_until(in.get(), Clock::now() + patience, text);
  // A launcher ends its tasks when it is asked to end; only then is there nothing left of them.
  if (!ended && kill(pid, SIGTERM) == 0) {
    read_until(in.get(), Clock::now() + kLastWords, rest);
    kill(-pid, SIGKILL);
  }
  int status = 0;
  waitpid(pid, &status, 0);
  if (!ended) return Error(Errc::timed_out, "a job did not end in time");
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return text;
  std::fprintf(stderr, "%s did not end well\n", command[0].c_str());
  return Error(Errc::system_error, "a job");
}

}  // namespace krg::bench
