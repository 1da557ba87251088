#include "folder.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <climits>
#include <cstdlib>
#include <filesystem>
#include <system_error>

namespace krg::pmix::testing {
namespace {

void remove(const std::string& path) {
  std::error_code ignored;
  std::filesystem::remove_all(path, ignored);
}

// Keeps nothing open but the pipe: somebody may wait for the end of what the launcher writes.
[[noreturn]] void sweep_at_end(int pipe, const std::string& path) {
  setsid();
  ::dup2(pipe, STDIN_FILENO);
  ::close_range(STDOUT_FILENO, UINT_MAX, 0);
  char none = 0;
  while (::read(STDIN_FILENO, &none, 1) > 0) {
  }
  remove(path);
  _exit(0);
}

}  // namespace

Folder::Folder() {
  const char* const base = std::getenv("TMPDIR");
  std::string path = std::string(base != nullptr ? base : "/tmp") + "/pmi_launch.XXXXXX";
  int pipe[2];
  if (::pipe2(pipe, O_CLOEXEC) != 0) return;
  const UniqueFd end(pipe[0]);
  life_.reset(pipe[1]);
  if (::mkdtemp(path.data()) == nullptr) return;
  sweeper_ = ::fork();
  if (sweeper_ == 0) sweep_at_end(end.get(), path);
  if (sweeper_ < 0) {
    remove(path);
  } else {
    path_ = std::move(path);
  }
}

Folder::~Folder() {
  life_.reset();
  if (sweeper_ > 0) ::waitpid(sweeper_, nullptr, 0);
}

}  // namespace krg::pmix::testing
