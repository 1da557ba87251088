#include "krg/proc/process.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "krg/base/descriptors.h"

namespace krg::proc {
namespace {

// The first `most` bytes of a file of /proc; nothing if it can not be read.
std::string head_of(const std::string& path, std::size_t most) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  std::string text;
  if (!fd) return text;
  text.resize(most);
  const ssize_t size = ::read(fd.get(), text.data(), most);
  text.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
  return text;
}

std::string path_of(pid_t pid, const char* file) {
  return "/proc/" + std::to_string(pid) + "/" + file;
}

std::uint64_t in_ms(std::uint64_t ticks) noexcept {
  static const auto per_second = static_cast<std::uint64_t>(::sysconf(_SC_CLK_TCK));
  return ticks * 1000 / per_second;
}

}  // namespace

std::optional<Process> read_process(pid_t pid) {
  const std::string text = head_of(path_of(pid, "stat"), 1024);
  // "pid (name) state ppid ...": the name may hold anything, so count from its end.
  const std::size_t open = text.find('('), close = text.rfind(')');
  if (open == std::string::npos || close == std::string::npos || close < open) return std::nullopt;
  Process one;
  one.pid = pid;
  one.name = text.substr(open + 1, close - open - 1);
  std::uint64_t user = 0, system = 0;
  std::int64_t threads = 0, pages = 0;
  if (std::sscanf(text.c_str() + close + 1,
                  " %c %d %*d %d %*d %*d %*u %*u %*u %*u %*u %" SCNu64 " %" SCNu64
                  " %*d %*d %*d %*d %" SCNd64 " %*d %" SCNu64 " %*u %" SCNd64,
                  &one.state, &one.parent, &one.session, &user, &system, &threads, &one.start,
                  &pages) != 8) {
    return std::nullopt;
  }
  one.cpu_ms = in_ms(user + system);
  one.threads = static_cast<std::uint32_t>(threads);
  one.resident_bytes =
      static_cast<std::uint64_t>(pages) * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  return one;
}

std::vector<Process> all_processes() {
  std::vector<Process> all;
  const std::unique_ptr<DIR, int (*)(DIR*)> proc(::opendir("/proc"), ::closedir);
  if (proc == nullptr) return all;
  while (const dirent* const entry = ::readdir(proc.get())) {
    if (entry->d_name[0] < '1' || entry->d_name[0] > '9') continue;
    if (auto one = read_process(std::atoi(entry->d_name))) all.push_back(std::move(*one));
  }
  return all;
}

std::string command_of(const Process& process, std::size_t most) {
  std::string text = head_of(path_of(process.pid, "cmdline"), most);
  while (!text.empty() && text.back() == '\0') text.pop_back();
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < ' ' || c == 0x7f) c = ' ';
  }
  return text.empty() ? "[" + process.name + "]" : text;
}

uid_t owner_of(pid_t pid) {
  struct stat status {};
  return ::stat(path_of(pid, "").c_str(), &status) == 0 ? status.st_uid : 0;
}

Status send_signal(const Process& process, int number) {
  const Error gone(Errc::not_found, "it has ended");
  const UniqueFd fd = open_process(process.pid);
  const auto now = read_process(process.pid);
  if (!fd || !now || now->start != process.start) return gone;
  if (::syscall(SYS_pidfd_send_signal, fd.get(), number, nullptr, 0) == 0) return {};
  if (errno == ESRCH) return gone;
  if (errno == EINVAL) return errno_error(Errc::invalid_argument, "there is no such signal");
  if (errno == EPERM) return errno_error(Errc::denied, "it belongs to another user");
  return errno_error(Errc::system_error, "sending a signal");
}

}  // namespace krg::proc
