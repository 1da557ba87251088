#include "krg/gate/server.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <new>

#include "krg/log/log.h"
#include "session.h"
#include "unix_socket.h"

namespace krg::gate {

class Server::Impl final : public SessionHost, private reactor::FdHandler, private reactor::Poller {
 public:
  Impl(reactor::Reactor& reactor, Options options)
      : reactor_(reactor), options_(std::move(options)) {
    reactor_.add_poller(*this);
  }

  ~Impl() {
    // Sessions tell retire() when they are closed; here nobody listens any more.
    observer_ = nullptr;
    sessions_.clear();
    reactor_.remove_poller(*this);
    if (!listener_) return;
    reactor_.unwatch(listener_.get());
    ::unlink(options_.path.c_str());
  }

  Status listen() {
    KRG_ASSERT(!listener_);
    KRG_TRY_ASSIGN(status_,
                   shm::Segment::create("krg-status", kStatusSize, shm::Segment::Writers::creator));
    page_ = new (status_.bytes().data()) StatusPage;
    KRG_TRY_ASSIGN(UniqueFd fd, listen_at(options_.path));
    KRG_TRY(reactor_.watch(fd.get(), EPOLLIN, *this));
    listener_ = std::move(fd);
    spare_.reset(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    return {};
  }

  void add(ServiceId id, std::unique_ptr<Handler> handler) {
    if (handlers_.size() <= id.value) {
      handlers_.resize(id.value + 1u);
      served_.resize(id.value + 1u);
    }
    auto& served = served_[id.value];
    if (served == nullptr && options_.stats != nullptr) {
      served = std::make_unique<Served>(*options_.stats, handler->name());
    }
    handler->served = served.get();
    handlers_[id.value] = std::move(handler);
  }

  void set_observer(Observer observer) { observer_ = std::move(observer); }
  std::size_t sessions() const noexcept { return sessions_.size(); }
  std::size_t lanes() const noexcept {
    std::size_t count = 0;
    for (const auto& session : sessions_) count += session->lanes();
    return count;
  }

 private:
  reactor::Reactor& reactor() noexcept override { return reactor_; }
  Handler* find(ServiceId id) noexcept override {
    return id.value < handlers_.size() ? handlers_[id.value].get() : nullptr;
  }
  int status_fd() noexcept override { return status_.fd(); }
  void retire(Session&) noexcept override { retired_ = true; }

  bool poll() noexcept override {
    if (retired_) bury();
    bool worked = false;
    // By index: a handler may let a session in, by a nested look at the listening socket.
    for (std::size_t i = 0; i < sessions_.size(); ++i) worked |= sessions_[i]->poll();
    return worked;
  }

  bool arm() noexcept override {
    if (page_ == nullptr) return !retired_;
    // First the word, then the look: a task submits first and looks at the word then.
    page_->asleep.store(1);
    return !retired_ && std::none_of(sessions_.begin(), sessions_.end(),
                                     [](const auto& session) { return session->has_work(); });
  }
  void disarm() noexcept override {
    if (page_ != nullptr) page_->asleep.store(0, std::memory_order_relaxed);
  }

  void on_fd(std::uint32_t) noexcept override {
    while (accept_one()) {
    }
  }

  // Destroys the sessions that are over; called from the top of a turn, where none of them runs.
  void bury() noexcept {
    retired_ = false;
    std::vector<std::unique_ptr<Session>> dead;
    std::erase_if(sessions_, [&](std::unique_ptr<Session>& session) {
      if (!session->closed()) return false;
      dead.push_back(std::move(session));
      return true;
    });
    for (auto& session : dead) {
      const Caller caller = session->caller();
      session.reset();
      if (observer_) observer_(caller, SessionEvent::end);
    }
  }

  bool accept_one() noexcept {
    UniqueFd fd(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!fd) {
      if (errno == EMFILE || errno == ENFILE) return refuse_without_descriptors();
      return errno == ECONNABORTED || errno == EINTR;
    }
    auto caller = peer_of(fd.get());
    if (!caller) return true;
    if (!options_.other_users && caller->uid != ::geteuid() && caller->uid != 0) {
      KRG_WARN("gate: process {} of user {} is refused", caller->pid, caller->uid);
      return true;
    }
    if (sessions_.size() >= options_.sessions_max) {
      KRG_WARN("gate: process {} is refused: {} sessions are open", caller->pid, sessions_.size());
      return true;
    }
    caller->session = ++last_session_;
    auto session = std::make_unique<Session>(*this, std::move(fd), *caller);
    if (!session->start()) return true;
    sessions_.push_back(std::move(session));
    if (observer_) observer_(*caller, SessionEvent::begin);
    return true;
  }

  // No descriptor is left for the caller: with the spare one it is let in and sent away, or the
  // listening socket would wake us for ever.
  bool refuse_without_descriptors() noexcept {
    KRG_ERROR("gate: out of file descriptors: a caller is refused");
    spare_.reset();
    UniqueFd(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    spare_.reset(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    return static_cast<bool>(spare_);
  }

  reactor::Reactor& reactor_;
  const Options options_;
  shm::Segment status_;
  StatusPage* page_ = nullptr;
  UniqueFd listener_;
  UniqueFd spare_;
  Observer observer_;
  std::vector<std::unique_ptr<Served>> served_;  // By service; stays when a handler is replaced.
  std::vector<std::unique_ptr<Handler>> handlers_;
  std::vector<std::unique_ptr<Session>> sessions_;
  std::uint64_t last_session_ = 0;
  bool retired_ = false;
};

Server::Server(reactor::Reactor& reactor, Options options)
    : impl_(std::make_unique<Impl>(reactor, std::move(options))) {}
Server::~Server() = default;

Status Server::listen() { return impl_->listen(); }
void Server::set_observer(Observer observer) { impl_->set_observer(std::move(observer)); }
std::size_t Server::sessions() const noexcept { return impl_->sessions(); }
std::size_t Server::lanes() const noexcept { return impl_->lanes(); }
void Server::add(ServiceId id, std::unique_ptr<Handler> handler) {
  impl_->add(id, std::move(handler));
}

}  // namespace krg::gate
