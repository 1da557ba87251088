#include <fcntl.h>
#include <fmt/format.h>
#include <linux/kcmp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "krg/base/descriptors.h"
#include "krg/epm/proc_text.h"
#include "proc_files.h"
#include "survey.h"

namespace krg::epm {
namespace {

constexpr std::array kDevices = {"/dev/null", "/dev/zero", "/dev/full", "/dev/random",
                                 "/dev/urandom"};

bool begins(std::string_view text, std::string_view with) { return text.rfind(with, 0) == 0; }
bool ends(std::string_view text, std::string_view with) {
  return text.size() >= with.size() && text.substr(text.size() - with.size()) == with;
}

class Files {
 public:
  Files(pid_t pid, const Known& known, Survey& into)
      : pid_(pid),
        process_(open_process(pid)),
        known_(known),
        into_(into),
        next_relay_(known.next_relay) {}
  void take(int fd);
  void join_pipes();

 private:
  void refuse(int fd, std::string_view why) {
    into_.problems.push_back(fmt::format("fd {}: {}", fd, why));
  }
  bool same(int a, int b) const {
    return syscall(SYS_kcmp, pid_, pid_, KCMP_FILE, static_cast<long>(a), static_cast<long>(b)) ==
           0;
  }
  bool is_management(int fd) const;
  void relay(FileImage& file, std::uint64_t inode);
  std::string_view sort(FileImage& file, const struct stat& status, const FdInfo& info);
  std::string_view sort_path(FileImage& file, const struct stat& status, const FdInfo& info) const;

  const pid_t pid_;
  const UniqueFd process_;
  const Known& known_;
  Survey& into_;
  std::uint64_t next_relay_;
};

// The socket that krgd has given its task to speak with the process-management server: one of a
// pair without a name, made by whoever started us.
bool Files::is_management(int fd) const {
  const UniqueFd socket(static_cast<int>(syscall(SYS_pidfd_getfd, process_.get(), fd, 0)));
  ucred peer{};
  socklen_t bytes = sizeof peer;
  int type = 0;
  socklen_t type_bytes = sizeof type;
  sockaddr_un name{};
  socklen_t name_bytes = sizeof name;
  return socket && getsockopt(socket.get(), SOL_SOCKET, SO_PEERCRED, &peer, &bytes) == 0 &&
         getsockopt(socket.get(), SOL_SOCKET, SO_TYPE, &type, &type_bytes) == 0 &&
         getpeername(socket.get(), reinterpret_cast<sockaddr*>(&name), &name_bytes) == 0 &&
         name.sun_family == AF_UNIX && name_bytes <= sizeof name.sun_family &&
         type == SOCK_STREAM && (peer.pid == getppid() || peer.pid == getpid());
}

void Files::relay(FileImage& file, std::uint64_t inode) {
  file.kind = FileImage::Kind::relay;
  const auto at = known_.relays.find(inode);
  file.value = at != known_.relays.end() ? at->second : next_relay_++;
}

std::string_view Files::sort_path(FileImage& file, const struct stat& status,
                                  const FdInfo& info) const {
  file.kind = FileImage::Kind::path;
  file.file = identify(of(pid_, fmt::format("fd/{}", file.fd).c_str()));
  if (S_ISCHR(status.st_mode)) {
    const bool known = std::find(kDevices.begin(), kDevices.end(), file.path) != kDevices.end();
    return known ? std::string_view() : std::string_view(file.path);
  }
  if (status.st_nlink == 0 || ends(file.path, " (deleted)")) return "deleted file";
  if (begins(file.path, "/proc/")) return "file of /proc";
  if (info.locked) return "locked file";
  return {};
}

// What kind of file it is; a reason if it can not be moved.
std::string_view Files::sort(FileImage& file, const struct stat& status, const FdInfo& info) {
  if (info.event_count) {
    file.kind = FileImage::Kind::event;
    file.value = *info.event_count;
    return {};
  }
  if (begins(file.path, "anon_inode:")) return file.path;
  if (begins(file.path, "pipe:[")) {
    relay(file, status.st_ino);
    return {};
  }
  if (S_ISSOCK(status.st_mode)) {
    if (!known_.relays.contains(status.st_ino) && !is_management(file.fd)) return "socket";
    relay(file, status.st_ino);
    return {};
  }
  if (S_ISREG(status.st_mode) || S_ISDIR(status.st_mode) || S_ISCHR(status.st_mode)) {
    return sort_path(file, status, info);
  }
  return S_ISFIFO(status.st_mode) ? "fifo" : std::string_view(file.path);
}

void Files::take(int fd) {
  const std::string link = of(pid_, fmt::format("fd/{}", fd).c_str());
  FileImage file;
  file.fd = fd;
  file.path = read_link(link);
  struct stat status {};
  const auto info = parse_fdinfo(slurp(of(pid_, fmt::format("fdinfo/{}", fd).c_str())));
  if (file.path.empty() || stat(link.c_str(), &status) != 0 || !info) return;  // Closed meanwhile.
  file.flags = info->flags;
  file.position = info->position;
  for (const FileImage& other : into_.image.files) {
    if (other.kind == FileImage::Kind::copy || other.path != file.path) continue;
    if (!same(fd, other.fd)) continue;
    file.kind = FileImage::Kind::copy;
    file.other = other.fd;
  }
  if (file.kind != FileImage::Kind::copy) {
    const std::string_view why = sort(file, status, *info);
    if (!why.empty())
      refuse(fd, why == "socket" || why == file.path ? std::string(why)
                                                     : fmt::format("{} {}", why, file.path));
  }
  into_.image.files.push_back(std::move(file));
}

// A pipe whose two ends are here is the process's own.
void Files::join_pipes() {
  std::vector<FileImage>& files = into_.image.files;
  for (FileImage& reader : files) {
    if (reader.kind != FileImage::Kind::relay || !begins(reader.path, "pipe:[") ||
        (reader.flags & O_ACCMODE) != O_RDONLY) {
      continue;
    }
    for (FileImage& writer : files) {
      if (writer.kind != FileImage::Kind::relay || writer.path != reader.path ||
          (writer.flags & O_ACCMODE) != O_WRONLY) {
        continue;
      }
      reader.kind = FileImage::Kind::pipe_read;
      writer.kind = FileImage::Kind::pipe_write;
      reader.other = writer.fd;
      writer.other = reader.fd;
      break;
    }
  }
}

}  // namespace

void survey_files(pid_t pid, const Known& known, Survey& into) {
  Files files(pid, known, into);
  for (const int fd : numbered(of(pid, "fd"))) files.take(fd);
  files.join_pipes();
}

}  // namespace krg::epm
