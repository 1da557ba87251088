#include "unix_socket.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <optional>

#include "krg/log/log.h"

namespace krg::gate {
namespace {

constexpr int kBacklog = 256;

Result<sockaddr_un> address_of(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path) {
    return Error(Errc::too_large, "socket path: want 1 to 107 characters");
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

// Makes the directory of the socket, or checks that nobody else can reach into the one that is
// there.
Status private_directory(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  const std::string directory = slash == std::string::npos ? "." : path.substr(0, slash);
  if (::mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST) {
    return errno_error(Errc::system_error, "making the socket's directory");
  }
  struct stat info {};
  if (::lstat(directory.c_str(), &info) != 0) {
    return errno_error(Errc::system_error, "looking at the socket's directory");
  }
  if (!S_ISDIR(info.st_mode) || info.st_uid != ::geteuid() || (info.st_mode & 077) != 0) {
    return Error(Errc::denied, "the socket's directory must be ours and of mode 0700");
  }
  return {};
}

Result<UniqueFd> make_socket() {
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return errno_error(Errc::system_error, "making a unix socket");
  return fd;
}

Error connect_error() noexcept {
  switch (errno) {
    case ENOENT:
      return Error(Errc::not_found, "no socket at this path");
    case ECONNREFUSED:
      return Error(Errc::unreachable, "nobody listens at this socket");
    case EAGAIN:
      return Error(Errc::would_block, "the server is busy");
    case EACCES:
      return Error(Errc::denied, "connecting to the socket");
    default:
      return errno_error(Errc::system_error, "connecting to the socket");
  }
}

}  // namespace

Result<UniqueFd> listen_at(const std::string& path) {
  KRG_TRY_ASSIGN(const sockaddr_un address, address_of(path));
  KRG_TRY(private_directory(path));
  if (auto living = connect_to(path); living || living.error() == Errc::would_block) {
    return Error(Errc::already_exists, "another server listens at this socket");
  } else if (living.error() == Errc::unreachable) {
    ::unlink(path.c_str());
  }
  KRG_TRY_ASSIGN(UniqueFd fd, make_socket());
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return errno_error(Errc::system_error, "binding the socket");
  }
  // Between bind and chmod the directory's mode keeps others out.
  if (::chmod(path.c_str(), 0600) != 0 || ::listen(fd.get(), kBacklog) != 0) {
    return errno_error(Errc::system_error, "listening at the socket");
  }
  return fd;
}

Result<UniqueFd> connect_to(const std::string& path) {
  KRG_TRY_ASSIGN(const sockaddr_un address, address_of(path));
  KRG_TRY_ASSIGN(UniqueFd fd, make_socket());
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return connect_error();
  }
  return fd;
}

Result<Caller> peer_of(int fd) {
  ucred credentials{};
  socklen_t size = sizeof credentials;
  if (::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0) {
    return errno_error(Errc::system_error, "asking who connects");
  }
  Caller caller;
  caller.pid = credentials.pid;
  caller.uid = credentials.uid;
  caller.gid = credentials.gid;
  return caller;
}

}  // namespace krg::gate
