#include "krg/testing/quiet_fork.h"

#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>

namespace krg::testing {
namespace {

using namespace std::chrono_literals;

// The state follows the name, which may hold anything but ends with the last parenthesis.
bool sleeps(const std::filesystem::path& thread) {
  std::ifstream file(thread / "stat");
  std::string line;
  std::getline(file, line);
  const auto end = line.rfind(')');
  return end == std::string::npos || end + 2 >= line.size() || line[end + 2] == 'S';
}

bool others_sleep() {
  const std::string mine = std::to_string(::gettid());
  std::error_code gone;
  for (const auto& thread : std::filesystem::directory_iterator("/proc/self/task", gone)) {
    if (thread.path().filename() != mine && !sleeps(thread.path())) return false;
  }
  return true;
}

}  // namespace

pid_t quiet_fork() {
  const auto end = std::chrono::steady_clock::now() + 2s;
  // One that was about to run has had the time to.
  for (int quiet = 0; quiet < 2 && std::chrono::steady_clock::now() < end;) {
    std::this_thread::sleep_for(1ms);
    quiet = others_sleep() ? quiet + 1 : 0;
  }
  return ::fork();
}

}  // namespace krg::testing
