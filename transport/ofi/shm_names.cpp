#include "shm_names.h"

#include <dirent.h>
#include <fmt/core.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <memory>

#include "krg/log/log.h"

namespace krg::ofi {
namespace {

// Two containers may share /dev/shm but not their process ids.
unsigned long pid_namespace() noexcept {
  struct stat status {};
  return ::stat("/proc/self/ns/pid", &status) == 0 ? status.st_ino : 0;
}

struct CloseFolder {
  void operator()(DIR* folder) const noexcept { ::closedir(folder); }
};

}  // namespace

Result<std::uint64_t> random_number() {
  std::uint64_t number = 0;
  if (::getrandom(&number, sizeof number, 0) != static_cast<ssize_t>(sizeof number)) {
    return errno_error(Errc::system_error, "getrandom");
  }
  return number;
}

Result<std::string> shm_name(std::string_view what) {
  KRG_TRY_ASSIGN(const std::uint64_t number, random_number());
  return fmt::format("{}{}-{}-{}-{:016x}", kShmPrefix, what, pid_namespace(), ::getpid(), number);
}

void remove_leftovers() noexcept {
  const std::unique_ptr<DIR, CloseFolder> folder(::opendir("/dev/shm"));
  if (folder == nullptr) return;
  const unsigned long own = pid_namespace();
  while (const dirent* entry = ::readdir(folder.get())) {
    unsigned long space = 0;
    int pid = 0;
    if (!std::string_view(entry->d_name).starts_with(kShmPrefix)) continue;
    if (std::sscanf(entry->d_name, "krg-ofi-%*[a-z]-%lu-%d-", &space, &pid) != 2) continue;
    if (space != own || pid <= 0 || ::kill(pid, 0) == 0 || errno != ESRCH) continue;
    if (::shm_unlink(entry->d_name) == 0) {
      KRG_DEBUG("ofi: removed /dev/shm/{}, which a killed process left", entry->d_name);
    }
  }
}

}  // namespace krg::ofi
