#include "host.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <array>

#include "krg/base/unique_fd.h"

namespace krg::link {
namespace {

std::string boot_id() {
  const UniqueFd fd(::open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC));
  std::array<char, 64> text;
  const ssize_t n = fd ? ::read(fd.get(), text.data(), text.size()) : 0;
  return n > 0 ? std::string(text.data(), static_cast<std::size_t>(n)) : std::string();
}

// The inode of a namespace is its number.
std::uint64_t inode(const char* path) {
  struct stat s;
  return ::stat(path, &s) == 0 ? s.st_ino : 0;
}

std::uint64_t device(const char* path) {
  struct stat s;
  return ::stat(path, &s) == 0 ? s.st_dev : 0;
}

}  // namespace

Locality local_locality() {
  Locality here;
  utsname names{};
  uname(&names);
  here.boot = boot_id();
  here.host_name = names.nodename;
  here.ipc_space = inode("/proc/self/ns/ipc");
  here.pid_space = inode("/proc/self/ns/pid");
  here.net_space = inode("/proc/self/ns/net");
  here.shm_device = device("/dev/shm");
  here.user = geteuid();
  return here;
}

}  // namespace krg::link
