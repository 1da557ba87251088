#include "krg/control/socket.h"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "krg/log/log.h"

namespace krg::control {
namespace {

constexpr int kBacklog = 64;

Result<sockaddr_un> address_of(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) {
    return Error(Errc::too_large, "the path of the control socket");
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

bool may_call(int connection) {
  ucred who{};
  socklen_t size = sizeof who;
  if (getsockopt(connection, SOL_SOCKET, SO_PEERCRED, &who, &size) != 0) return false;
  return who.uid == geteuid() || who.uid == 0;
}

}  // namespace

Listener::~Listener() {
  if (!socket_) return;
  reactor_.unwatch(socket_.get());
  unlink(path_.c_str());
}

Status Listener::open(const std::string& path) {
  KRG_TRY_ASSIGN(const sockaddr_un address, address_of(path));
  if (call(path)) return Error(Errc::already_exists, "a krgd answers at that control socket");
  unlink(path.c_str());
  UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const mode_t before = umask(0177);
  const int bound =
      fd ? bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) : -1;
  umask(before);
  if (bound != 0 || listen(fd.get(), kBacklog) != 0) {
    return errno_error(errno == EACCES ? Errc::denied : Errc::system_error,
                       "opening the control socket");
  }
  KRG_TRY(reactor_.watch(fd.get(), EPOLLIN, *this));
  socket_ = std::move(fd);
  path_ = path;
  return {};
}

void Listener::on_fd(std::uint32_t) noexcept {
  UniqueFd caller(accept4(socket_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!caller) return;
  if (!may_call(caller.get())) {
    KRG_WARN("a call of another user to the control socket was refused");
    return;
  }
  handler_.on_caller(std::move(caller));
}

Result<UniqueFd> call(const std::string& path) {
  KRG_TRY_ASSIGN(const sockaddr_un address, address_of(path));
  UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd) return errno_error(Errc::system_error, "making a socket");
  if (connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    const bool nobody = errno == ENOENT || errno == ECONNREFUSED || errno == ENOTDIR;
    return errno_error(nobody            ? Errc::not_found
                       : errno == EACCES ? Errc::denied
                                         : Errc::system_error,
                       "calling a krgd");
  }
  return fd;
}

}  // namespace krg::control
