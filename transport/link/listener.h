// The listening socket, which stops accepting while too many callers are unproven.
#pragma once

#include <string>

#include "krg/base/unique_fd.h"
#include "krg/link/address.h"
#include "krg/reactor/reactor.h"

namespace krg::link {

class Listener final : private reactor::FdHandler, private reactor::Timer {
 public:
  class Owner {
   public:
    virtual void on_call(UniqueFd socket, const Address& remote) = 0;

   protected:
    ~Owner() = default;
  };

  Listener(reactor::Reactor& reactor, Owner& owner) : reactor_(reactor), owner_(owner) {}
  ~Listener();

  // `where` as fabric::Options::listen; waits for an interface as link::Options::interface_wait
  // says.
  Status open(const std::string& where, Duration interface_wait);
  // Where it can be reached.
  const std::string& address() const noexcept { return address_; }
  // While paused, callers wait in the kernel's queue.
  void pause() noexcept;
  void resume() noexcept;

 private:
  void on_fd(std::uint32_t events) noexcept override;
  void on_timer() noexcept override { resume(); }
  Status bind(const Address& where);

  reactor::Reactor& reactor_;
  Owner& owner_;
  UniqueFd socket_;
  std::string address_;
  bool paused_ = false;
  bool short_of_descriptors_ = false;
};

}  // namespace krg::link
