// control/socket.h: the unix socket at which a krgd answers the tools of its user.
//
// Model    a socket of mode 0600 in a directory of mode 0700; and the kernel says who called, so a
//          call from another user is refused whatever the modes are. root may always call.
// Threads  owned by the reactor's thread.
// Blocks   never.
// Source   unix(7), SO_PEERCRED
#pragma once

#include <string>

#include "krg/base/unique_fd.h"
#include "krg/error/result.h"
#include "krg/reactor/reactor.h"

namespace krg::control {

class ListenerHandler {
 public:
  virtual void on_caller(UniqueFd connection) = 0;

 protected:
  ~ListenerHandler() = default;
};

class Listener final : private reactor::FdHandler {
 public:
  Listener(reactor::Reactor& reactor, ListenerHandler& handler) noexcept
      : reactor_(reactor), handler_(handler) {}
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;
  // Removes the socket.
  ~Listener();

  // Takes the place of a socket at which nobody answers any more.
  // Errors  already_exists  somebody answers there.
  //         denied, too_large (the path), system_error
  Status open(const std::string& path);
  const std::string& path() const noexcept { return path_; }

 private:
  void on_fd(std::uint32_t events) noexcept override;

  reactor::Reactor& reactor_;
  ListenerHandler& handler_;
  UniqueFd socket_;
  std::string path_;
};

// Errors  not_found  nobody answers there.  denied  it is another user's.
Result<UniqueFd> call(const std::string& path);

}  // namespace krg::control
