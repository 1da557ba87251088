#include "krg/epm/mover.h"

#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <csignal>
#include <memory>

#include "home.h"
#include "host.h"
#include "krg/base/assert.h"
#include "krg/log/log.h"

namespace krg::epm {
namespace {

class Mover final : private reactor::FdHandler {
 public:
  explicit Mover(UniqueFd port)
      : port_(reactor_, std::move(port), [this](std::uint16_t type, wire::Bytes body, UniqueFd fd) {
          heard(type, body, std::move(fd));
        }) {
    sigset_t child;
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    sigprocmask(SIG_BLOCK, &child, nullptr);
    signals_.reset(signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK));
    KRG_ASSERT(reactor_.watch(signals_.get(), EPOLLIN, *this));
  }

  void run() { reactor_.run(); }

 private:
  void heard(std::uint16_t type, wire::Bytes body, UniqueFd fd);
  void welcome(const Welcome& welcome, UniqueFd fd);
  // A child or tracee has changed its state.
  void on_fd(std::uint32_t) noexcept override {
    signalfd_siginfo info[8];
    while (read(signals_.get(), info, sizeof info) > 0) {
    }
    if (home_) home_->look();
    if (host_) host_->look();
  }

  reactor::RealClock clock_;
  reactor::Reactor reactor_{clock_, reactor::Reactor::Waiting::block};
  Port port_;
  UniqueFd signals_;
  std::unique_ptr<Home> home_;
  std::unique_ptr<Host> host_;
};

void Mover::welcome(const Welcome& welcome, UniqueFd fd) {
  if (fd) {
    log::set_who("krg_mover for another node");
    host_ = std::make_unique<Host>(reactor_, port_, std::move(fd), welcome.token);
  } else {
    log::set_who("krg_mover of " + std::to_string(welcome.pid));
    home_ = std::make_unique<Home>(reactor_, port_, welcome.pid);
  }
}

void Mover::heard(std::uint16_t type, wire::Bytes body, UniqueFd fd) {
  if (type == 0) return reactor_.stop();  // The krgd is gone.
  if (type == Welcome::kFrame && !home_ && !host_) {
    const auto word = wire::decode<Welcome>(body);
    if (word) welcome(*word, std::move(fd));
  } else if (type == Order::kFrame && home_) {
    const auto order = wire::decode<Order>(body);
    if (order) home_->on_order(*order);
  } else if (type == Opened::kFrame) {
    const auto opened = wire::decode<Opened>(body);
    if (!opened) return;
    if (home_) home_->on_opened(*opened, std::move(fd));
    if (host_) host_->on_opened(*opened, std::move(fd));
  } else if (type == Attach::kFrame && host_ && fd) {
    host_->on_attach(std::move(fd));
  }
}

}  // namespace

int run_mover(UniqueFd port) {
  signal(SIGPIPE, SIG_IGN);
  rlimit files{};
  if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
    files.rlim_cur = files.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &files);
  }
  // Never destroyed in order: what it holds ends with the process.
  auto* const mover = new Mover(std::move(port));
  mover->run();
  _exit(0);
}

}  // namespace krg::epm
