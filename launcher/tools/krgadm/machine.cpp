#include "machine.h"

#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "krg/base/unique_fd.h"
#include "krg/uffd/uffd.h"

namespace krg::krgadm {
namespace {

using Kind = Finding::Kind;
namespace fs = std::filesystem;

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;

// The first word of a file; "" if it can not be read.
std::string word_of(const std::string& path) {
  std::ifstream file(path);
  std::string word;
  file >> word;
  return word;
}

std::string mib(std::uint64_t bytes) { return std::to_string(bytes / kMiB) + " MiB"; }

// Whether a child that does this ends with 0.
template <class Work>
bool child_can(Work&& work) {
  const pid_t pid = ::fork();
  if (pid < 0) return false;
  if (pid == 0) ::_exit(work() ? 0 : 1);
  int how = -1;
  while (::waitpid(pid, &how, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(how) && WEXITSTATUS(how) == 0;
}

Finding kernel() {
  utsname name{};
  ::uname(&name);
  unsigned major = 0, minor = 0;
  const bool read = std::sscanf(name.release, "%u.%u", &major, &minor) == 2;
  const bool is_new = read && (major > 6 || (major == 6 && minor >= 8));
  Finding finding{"kernel", Kind::good, std::string("Linux ") + name.release,
                  "new enough for shared memory", ""};
  if (is_new) return finding;
  finding.kind = Kind::limited;
  finding.meaning = "objects, locks and jobs work; regions of shared memory need 6.8";
  finding.remedy = "install Linux 6.8 or later";
  return finding;
}

Finding user_faults() {
  const auto uffd = Uffd::open();
  const std::string setting = word_of("/proc/sys/vm/unprivileged_userfaultfd");
  Finding finding{"userfaultfd", Kind::good, "faults of tasks and of the kernel",
                  "regions, and system calls on them", ""};
  if (uffd && uffd->serves_kernel()) return finding;
  finding.kind = Kind::limited;
  finding.remedy =
      "sysctl vm.unprivileged_userfaultfd=1, or let the user read and write /dev/userfaultfd";
  if (uffd) {
    finding.found = "faults of tasks only (vm.unprivileged_userfaultfd=" + setting + ")";
    finding.meaning =
        "system calls on pages of regions end with EFAULT: call krg_read() ..., or preload "
        "libkrg_io.so";
    return finding;
  }
  finding.found = uffd.error().message();
  finding.meaning = "no regions of shared memory";
  if (uffd.error().code() == Errc::not_supported) finding.remedy = "install Linux 6.8 or later";
  return finding;
}

// What the kernel's userfaultfd can do; Uffd::open() asks for all of it together.
Finding fault_features() {
  const UniqueFd fd(
      static_cast<int>(::syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK | UFFD_USER_MODE_ONLY)));
  uffdio_api api{};
  api.api = UFFD_API;
  Finding finding{"userfaultfd features", Kind::limited, "none", "no regions of shared memory",
                  "install Linux 6.8 or later with CONFIG_USERFAULTFD"};
  if (!fd || ::ioctl(fd.get(), UFFDIO_API, &api) != 0) return finding;
  struct Feature {
    std::uint64_t bit;
    const char* name;
  };
  constexpr Feature kAll[] = {{UFFD_FEATURE_MINOR_SHMEM, "minor faults of shared memory"},
                              {UFFD_FEATURE_WP_HUGETLBFS_SHMEM, "write protection"},
                              {std::uint64_t{1} << 14, "poison"}};
  std::string there, not_there;
  for (const Feature& feature : kAll) {
    std::string& list = (api.features & feature.bit) != 0 ? there : not_there;
    list += (list.empty() ? "" : ", ") + std::string(feature.name);
  }
  finding.found = not_there.empty() ? there : "without " + not_there;
  if (!not_there.empty()) return finding;
  return {finding.what, Kind::good, there, "pages can be shared, protected and reported lost", ""};
}

Finding namespaces() {
  const bool can = child_can([] { return ::unshare(CLONE_NEWUSER) == 0; });
  if (can) return {"user namespaces", Kind::good, "allowed", "emulated hosts for tests", ""};
  return {"user namespaces", Kind::limited, "not allowed",
          "jobs run; tests with emulated hosts do not",
          "sysctl user.max_user_namespaces=10000 (and kernel.unprivileged_userns_clone=1, "
          "kernel.apparmor_restrict_unprivileged_userns=0 where these are)"};
}

Finding tracing() {
  const std::string scope = word_of("/proc/sys/kernel/yama/ptrace_scope");
  if (scope.empty() || scope == "0" || ::geteuid() == 0) {
    return {"ptrace", Kind::good, "scope " + (scope.empty() ? "0" : scope),
            "large messages between processes of a node are copied once", ""};
  }
  return {"ptrace", Kind::limited, "scope " + scope,
          "large messages between processes of a node are copied twice",
          "sysctl kernel.yama.ptrace_scope=0"};
}

bool has_rdma() {
  std::error_code none;
  return fs::exists("/sys/class/infiniband", none) && !fs::is_empty("/sys/class/infiniband", none);
}

Finding locked_memory() {
  rlimit limit{};
  ::getrlimit(RLIMIT_MEMLOCK, &limit);
  const bool unlimited = limit.rlim_cur == RLIM_INFINITY;
  const std::string found = unlimited ? "unlimited" : mib(limit.rlim_cur);
  if (unlimited || !has_rdma()) {
    return {"locked memory", Kind::good, found, "buffers can be registered with the network", ""};
  }
  return {"locked memory", Kind::limited, found,
          "RDMA devices register that much at most; krg then uses TCP",
          "ulimit -l unlimited (memlock in /etc/security/limits.conf)"};
}

Finding open_files() {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  const std::string found = std::to_string(limit.rlim_max);
  if (limit.rlim_max >= 4096) {
    return {"open files", Kind::good, found, "a node may have thousands of tasks and regions", ""};
  }
  return {"open files", Kind::limited, found,
          "krgd has one for each task, two for each region, and one more for each attached",
          "ulimit -Hn 65536"};
}

Finding huge_pages() {
  const std::string shared = [] {
    std::ifstream file("/sys/kernel/mm/transparent_hugepage/shmem_enabled");
    std::string line;
    std::getline(file, line);
    const auto begin = line.find('['), end = line.find(']');
    return end == std::string::npos ? std::string("none") : line.substr(begin + 1, end - begin - 1);
  }();
  return {"huge pages", Kind::good, "shared memory: " + shared,
          "regions have pages of 4 KiB; huge ones are of no use to them", ""};
}

Finding rdma() {
  std::string names;
  std::error_code none;
  for (const auto& entry : fs::directory_iterator("/sys/class/infiniband", none)) {
    names += (names.empty() ? "" : ", ") + entry.path().filename().string();
  }
  if (names.empty()) {
    return {"RDMA devices", Kind::limited, "none", "nodes talk by TCP", ""};
  }
  return {"RDMA devices", Kind::good, names, "nodes may talk by them", ""};
}

Finding shared_memory() {
  struct statvfs there {};
  if (::statvfs("/dev/shm", &there) != 0 || ::access("/dev/shm", W_OK) != 0) {
    return {"/dev/shm", Kind::missing, std::strerror(errno),
            "processes of a node have no memory to talk by", "mount -t tmpfs tmpfs /dev/shm"};
  }
  const std::uint64_t free = there.f_bavail * there.f_frsize;
  const std::string found = mib(free) + " free of " + mib(there.f_blocks * there.f_frsize);
  if (free >= 64 * kMiB) {
    return {"/dev/shm", Kind::good, found, "processes of a node talk by it", ""};
  }
  return {"/dev/shm", Kind::limited, found, "large jobs may not start",
          "mount -o remount,size=50% /dev/shm"};
}

// The v2 group of this process; "": there is none.
std::string own_group() {
  std::ifstream file("/proc/self/cgroup");
  for (std::string line; std::getline(file, line);) {
    if (line.rfind("0::", 0) == 0) return "/sys/fs/cgroup" + line.substr(3);
  }
  return "";
}

Finding groups() {
  const std::string group = own_group();
  const bool is_v2 = ::access("/sys/fs/cgroup/cgroup.controllers", F_OK) == 0;
  const bool writable = is_v2 && !group.empty() && ::access(group.c_str(), W_OK) == 0;
  if (writable) {
    return {"cgroups", Kind::good, "v2, may be divided", "limits of a node can be set apart", ""};
  }
  return {"cgroups", Kind::limited, is_v2 ? "v2, not this user's" : "v1 or none",
          "krg runs; it can not give the nodes of one machine limits of their own",
          "start it in a delegated group: systemd-run --user --scope -p Delegate=yes"};
}

Finding processes() {
  const UniqueFd self(static_cast<int>(::syscall(SYS_pidfd_open, ::getpid(), 0)));
  if (self) return {"pidfd", Kind::good, "there", "ends of tasks are seen at once", ""};
  return {"pidfd", Kind::missing, std::strerror(errno), "krgd can not follow its tasks",
          "install Linux 6.8 or later, or allow pidfd_open in the container"};
}

Finding memory_files() {
  const UniqueFd memory(static_cast<int>(::syscall(SYS_memfd_create, "krg.check", 1U)));
  if (memory) return {"memfd", Kind::good, "there", "memory can be passed between processes", ""};
  return {"memfd", Kind::missing, std::strerror(errno), "no memory to pass between processes",
          "allow memfd_create in the container"};
}

}  // namespace

std::vector<Finding> look_at_machine() {
  return {kernel(),         processes(),  memory_files(), shared_memory(), user_faults(),
          fault_features(), namespaces(), tracing(),      locked_memory(), open_files(),
          huge_pages(),     rdma(),       groups()};
}

}  // namespace krg::krgadm
