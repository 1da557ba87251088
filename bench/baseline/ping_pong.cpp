#include "krg/baseline/ping_pong.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <new>
#include <thread>
#include <vector>

#include "ucx_worker.h"

namespace krg::baseline {
namespace {

using reactor::Reactor;
using Waiting = Reactor::Waiting;
using SteadyClock = std::chrono::steady_clock;

constexpr unsigned kPing = 1;
constexpr unsigned kPong = 2;
constexpr unsigned kStop = 3;
constexpr unsigned kPairsMax = 64;

struct Shared {
  alignas(64) std::atomic<unsigned> ready{0};
  alignas(64) std::atomic<bool> go{false};
  alignas(64) std::atomic<bool> stop{false};
  alignas(64) double rate[kPairsMax] = {};
};

// One player: a raw worker as the reactor's poller.
class Player final : public reactor::Poller {
 public:
  Player(const PingPong& game, Shared& shared) : game_(game), shared_(shared), data_(game.size) {}

  Status open(int socket) {
    const bool wakeup = game_.waiting == Waiting::block || game_.waiting == Waiting::adaptive;
    KRG_TRY(ucx_.open(game_.transport, wakeup));
    KRG_TRY(ucx_.set_handler(kPing, on_ping, this));
    KRG_TRY(ucx_.set_handler(kPong, on_pong, this));
    KRG_TRY(ucx_.set_handler(kStop, on_stop, this));
    if (wakeup && ucp_worker_get_efd(ucx_.get(), &event_fd_) != UCS_OK) {
      return Error(Errc::system_error, "no event descriptor");
    }
    KRG_TRY_ASSIGN(const auto mine, ucx_.address());
    std::byte theirs[1024];
    if (::send(socket, mine.data(), mine.size(), 0) < 0) return Errc::system_error;
    const ssize_t size = ::recv(socket, theirs, sizeof theirs, 0);
    if (size <= 0) return Errc::system_error;
    return ucx_.connect({theirs, static_cast<std::size_t>(size)});
  }

  // One round trip outside the run wires the endpoints up.
  void meet(bool first) {
    if (first) send(kPing);
    while (first ? pongs_ == 0 : pings_ == 0) ucx_.progress();
    while (pending_ > 0) ucx_.progress();
    ++shared_.ready;
    while (!shared_.go.load()) {
      ucx_.progress();
      usleep(200);
    }
  }

  // Plays until the parent's word; returns round trips per second.
  double lead(Reactor& reactor) {
    reactor_ = &reactor;
    reactor.add_poller(*this);
    const std::uint64_t before = pongs_;
    const auto begin = SteadyClock::now();
    send(kPing);
    reactor.run();
    const std::chrono::duration<double> took = SteadyClock::now() - begin;
    const double rate = static_cast<double>(pongs_ - before) / took.count();
    send(kStop);
    while (pending_ > 0) ucx_.progress();
    flush_out();
    return rate;
  }

  void follow(Reactor& reactor) {
    reactor_ = &reactor;
    reactor.add_poller(*this);
    if (!stopped_) reactor.run();
  }

  bool poll() noexcept override { return ucx_.progress() > 0; }
  int event_fd() const noexcept override { return event_fd_; }
  bool arm() noexcept override { return ucp_worker_arm(ucx_.get()) == UCS_OK; }

 private:
  static Player& of(void* self) noexcept { return *static_cast<Player*>(self); }

  void send(unsigned id) {
    ucp_request_param_t param{};
    param.op_attr_mask =
        UCP_OP_ATTR_FIELD_CALLBACK | UCP_OP_ATTR_FIELD_USER_DATA | UCP_OP_ATTR_FIELD_FLAGS;
    param.flags = UCP_AM_SEND_FLAG_EAGER;
    param.cb.send = [](void* request, ucs_status_t, void* self) {
      --of(self).pending_;
      ucp_request_free(request);
    };
    param.user_data = this;
    if (ucp_am_send_nbx(ucx_.endpoint(), id, nullptr, 0, data_.data(), data_.size(), &param) !=
        nullptr) {
      ++pending_;
    }
  }

  void flush_out() {
    ucp_request_param_t param{};
    void* request = ucp_worker_flush_nbx(ucx_.get(), &param);
    if (!UCS_PTR_IS_PTR(request)) return;
    while (ucp_request_check_status(request) == UCS_INPROGRESS) ucx_.progress();
    ucp_request_free(request);
  }

  static ucs_status_t on_ping(void* self, const void*, std::size_t, void*, std::size_t,
                              const ucp_am_recv_param_t*) {
    ++of(self).pings_;
    of(self).send(kPong);
    return UCS_OK;
  }
  static ucs_status_t on_pong(void* self, const void*, std::size_t, void*, std::size_t,
                              const ucp_am_recv_param_t*) {
    Player& me = of(self);
    ++me.pongs_;
    if (me.reactor_ == nullptr) return UCS_OK;
    if (me.shared_.stop.load(std::memory_order_relaxed)) {
      me.reactor_->stop();
    } else {
      me.send(kPing);
    }
    return UCS_OK;
  }
  static ucs_status_t on_stop(void* self, const void*, std::size_t, void*, std::size_t,
                              const ucp_am_recv_param_t*) {
    of(self).stopped_ = true;
    if (of(self).reactor_ != nullptr) of(self).reactor_->stop();
    return UCS_OK;
  }

  const PingPong& game_;
  Shared& shared_;
  UcxWorker ucx_;
  Reactor* reactor_ = nullptr;
  int event_fd_ = -1;
  const std::vector<std::byte> data_;
  std::uint64_t pings_ = 0, pongs_ = 0, pending_ = 0;
  bool stopped_ = false;
};

double cpu_seconds() {
  rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](timeval t) { return static_cast<double>(t.tv_sec) + 1e-6 * t.tv_usec; };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

enum class Role { lead, follow, idle };

// The body of a player's process.
int play(const PingPong& game, Shared& shared, unsigned pair, Role role, int socket) {
  Player player(game, shared);
  if (const Status status = player.open(socket); !status) {
    std::fprintf(stderr, "ping-pong: %s\n", status.error().message().c_str());
    return 1;
  }
  player.meet(role == Role::lead);
  const reactor::RealClock clock;
  Reactor reactor(clock, game.waiting);
  std::byte word[1] = {};
  if (role == Role::lead) {
    shared.rate[pair] = player.lead(reactor);
  } else {
    const double before = cpu_seconds();
    const auto begin = SteadyClock::now();
    player.follow(reactor);
    const std::chrono::duration<double> took = SteadyClock::now() - begin;
    if (role == Role::idle) shared.rate[pair] = 100 * (cpu_seconds() - before) / took.count();
  }
  reactor.remove_poller(player);
  // Neither leaves before the other is done: UCX does not like a peer that is gone.
  if (::send(socket, word, 1, 0) < 0 || ::recv(socket, word, 1, 0) < 0) return 1;
  return 0;
}

// In an idle game the leader only waits, and then says stop.
int wait_idle(const PingPong& game, Shared& shared, int socket) {
  Player player(game, shared);
  if (!player.open(socket)) return 1;
  player.meet(true);
  while (!shared.stop.load()) usleep(1000);
  const reactor::RealClock clock;
  Reactor reactor(clock, Waiting::poll);
  player.lead(reactor);
  reactor.remove_poller(player);
  std::byte word[1] = {};
  return ::send(socket, word, 1, 0) < 0 || ::recv(socket, word, 1, 0) < 0 ? 1 : 0;
}

template <class Body>
pid_t fork_into(Body body) {
  const pid_t pid = fork();
  if (pid != 0) return pid;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  _exit(body());
}

[[noreturn]] void compute() {
  for (;;) asm volatile("" ::: "memory");
}

Result<double> run(const PingPong& game, bool idle) {
  KRG_ASSERT(game.pairs <= kPairsMax);
  void* memory =
      mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return errno_error(Errc::no_memory, "shared memory");
  Shared& shared = *new (memory) Shared;
  std::vector<pid_t> players, busy;
  for (unsigned pair = 0; pair < game.pairs; ++pair) {
    int sockets[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sockets) != 0) {
      return errno_error(Errc::system_error, "socketpair");
    }
    players.push_back(fork_into([&] {
      return idle ? wait_idle(game, shared, sockets[0])
                  : play(game, shared, pair, Role::lead, sockets[0]);
    }));
    players.push_back(fork_into(
        [&] { return play(game, shared, pair, idle ? Role::idle : Role::follow, sockets[1]); }));
    ::close(sockets[0]);
    ::close(sockets[1]);
  }
  while (shared.ready.load() < players.size()) usleep(500);
  for (unsigned i = 0; i < game.busy; ++i) busy.push_back(fork_into([]() -> int { compute(); }));
  shared.go.store(true);
  std::this_thread::sleep_for(game.length);
  shared.stop.store(true);
  bool failed = false;
  for (const pid_t pid : players) {
    int status = 0;
    waitpid(pid, &status, 0);
    failed |= status != 0;
  }
  for (const pid_t pid : busy) {
    kill(pid, SIGKILL);
    waitpid(pid, nullptr, 0);
  }
  double total = 0;
  for (unsigned pair = 0; pair < game.pairs; ++pair) total += shared.rate[pair];
  munmap(memory, sizeof(Shared));
  if (failed) return Error(Errc::system_error, "a player failed");
  return total;
}

}  // namespace

Result<double> ping_pong(const PingPong& game) { return run(game, false); }
Result<double> idle_share(const PingPong& game) { return run(game, true); }

}  // namespace krg::baseline
