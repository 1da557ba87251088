// Tasks that fail, on two nodes.
//   killed  rank 1's child waits for a page whose krgd is stopped, and is killed; then rank 1 reads
//   it.
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <fstream>
#include <string>

#include "region_task.h"

namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr std::size_t kBarrier = 0, kPid = 1, kPage = 2;

std::string name_of(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/comm");
  std::string name;
  file >> name;
  return name;
}

pid_t parent_of(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::string text;
  std::getline(file, text);
  const std::size_t end = text.rfind(')');
  return end == std::string::npos ? 0 : std::atoi(text.c_str() + end + 4);
}

// The krgd above this process.
pid_t krgd_of_this() {
  pid_t pid = ::getppid();
  while (pid > 1 && name_of(pid).rfind("krgd", 0) != 0) pid = parent_of(pid);
  return pid;
}

int killed(const krg::Region& region) {
  Meeting all(region, kBarrier);
  if (rank_of_this() == 0) {
    word(region, kPid).store(static_cast<std::uint64_t>(krgd_of_this()));
    word(region, kPage).store(77);
    all.meet();
    all.meet();
    return 0;
  }
  all.meet();
  const auto other = static_cast<pid_t>(word(region, kPid).load());
  if (other <= 1) return 1;
  const pid_t child = ::fork();
  if (child == 0) {
    ::kill(other, SIGSTOP);
    word(region, kPage).fetch_add(1);
    ::_exit(0);
  }
  std::this_thread::sleep_for(200ms);
  const auto begin = Clock::now();
  ::kill(child, SIGKILL);
  int how = 0;
  ::waitpid(child, &how, 0);
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - begin);
  ::kill(other, SIGCONT);
  if (WIFSIGNALED(how) && WTERMSIG(how) == SIGKILL && ms < 1000ms &&
      word(region, kPage).load() == 77) {
    std::printf("gone after %d ms, and the page is there\n", static_cast<int>(ms.count()));
  }
  all.meet();
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string kind = argc > 1 ? argv[1] : "killed";
  const krg::Region region = must(krg::Region::open("failing." + kind, 1 << 20), "the region");
  return kind == "killed" ? killed(region) : 1;
}
