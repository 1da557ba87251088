// krg_gate_latency: a call from a task to its krgd, beside what two processes can do by bare
// memory.

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <new>
#include <string>
#include <thread>

#include "krg/base/spin_pause.h"
#include "krg/gate/client.h"
#include "krg/gate/lane.h"
#include "krg/gate/server.h"
#include "krg/harness/program.h"
#include "krg/reactor/clock.h"
#include "krg/reactor/event.h"
#include "krg/shm/futex.h"
#include "krg/shm/segment.h"

using namespace krg;
using namespace std::chrono_literals;

namespace {

struct Block {
  std::vector<std::byte> bytes;
  static void wire_fields(auto& m, auto&& visit) { visit(m.bytes); }
};
struct Echo {
  static constexpr ServiceId kId{1};
  static constexpr const char* kName = "echo";
  using Request = Block;
  using Reply = wire::Empty;
};
struct EchoByCoroutine {
  static constexpr ServiceId kId{2};
  static constexpr const char* kName = "echo by coroutine";
  using Request = Block;
  using Reply = wire::Empty;
};

// What a call by a lane takes, less the length before the bytes.
constexpr std::size_t kRequestMax = gate::kArgumentMax - 4;

// Calls `once` for the length of the job, `job.detail` nanoseconds apart, and sums up the times of
// each.
template <class F>
Result<harness::Sample> time_each(const harness::Job& job, F once) {
  harness::Latencies times;
  const reactor::RealClock clock;
  TimePoint last = clock.now();
  const TimePoint end = last + job.length;
  while (last < end) {
    KRG_TRY(once());
    TimePoint now = clock.now();
    times.add(static_cast<double>((now - last).count()) / 1e3);
    if (job.detail != 0) {
      std::this_thread::sleep_for(std::chrono::nanoseconds(job.detail));
      now = clock.now();
    }
    last = now;
  }
  return times.summary();
}

// A krgd in one process, a task in the other. The reactor turns without sleeping, or waits as krgd
// does.
template <class Service>
class Gate final : public harness::Contestant {
 public:
  explicit Gate(bool sleeps) : sleeps_(sleeps) {}

  Status open(harness::Side side, harness::Meeting& meeting) override {
    return side == harness::Side::server ? open_server(meeting) : open_client(meeting);
  }

  void serve(const harness::Job&, const harness::Baton& baton) override {
    if (!sleeps_) {
      while (baton.held()) reactor_.turn();
      return;
    }
    // run() sleeps between calls; this ends it when the run is over.
    reactor_.spawn([](reactor::Reactor& reactor, const harness::Baton& held) -> Co<void> {
      while (held.held()) co_await reactor::sleep_for(reactor, 5ms);
      reactor.stop();
    }(reactor_, baton));
    reactor_.run();
  }

  Result<harness::Sample> measure(const harness::Job& job) override {
    const Block request{std::vector<std::byte>(job.size)};
    return time_each(job, [&]() -> Status {
      KRG_TRY(client_->call<Service>(request, 10s));
      return {};
    });
  }

 private:
  Status open_server(harness::Meeting& meeting) {
    char name[] = "/tmp/krg_bench_XXXXXX";
    if (::mkdtemp(name) == nullptr) return errno_error(Errc::system_error, "mkdtemp");
    const std::string directory = name;
    const std::string path = directory + "/socket";
    server_ = std::make_unique<gate::Server>(reactor_, gate::Server::Options{.path = path});
    server_->serve<Echo>(
        [](gate::Call&, const Block&) -> Result<wire::Empty> { return wire::Empty{}; });
    server_->serve<EchoByCoroutine>(
        [](gate::Call&, Block) -> Co<Result<wire::Empty>> { co_return wire::Empty{}; });
    KRG_TRY(server_->listen());
    meeting.exchange(path);
    while (server_->lanes() == 0) reactor_.turn();
    // Nobody else comes, and the harness ends this process without a word.
    ::unlink(path.c_str());
    ::rmdir(directory.c_str());
    return {};
  }
  Status open_client(harness::Meeting& meeting) {
    KRG_TRY_ASSIGN(client_, gate::Client::connect(meeting.exchange(std::string()), {}));
    return {};
  }

  const bool sleeps_;
  reactor::RealClock clock_;
  reactor::Reactor reactor_{clock_, reactor::Reactor::Waiting::block};
  std::unique_ptr<gate::Server> server_;
  std::unique_ptr<gate::Client> client_;
};

// Two words in shared memory and nothing else: the two sides spin, or sleep on a futex.
class PingPong final : public harness::Contestant {
 public:
  explicit PingPong(bool sleeps) : sleeps_(sleeps) {}

  Status open(harness::Side side, harness::Meeting& meeting) override {
    if (side == harness::Side::server) {
      KRG_TRY_ASSIGN(segment_, shm::Segment::create("krg-bench", sizeof(Words)));
      new (segment_.bytes().data()) Words;
      meeting.exchange("/proc/" + std::to_string(::getpid()) + "/fd/" +
                       std::to_string(segment_.fd()));
      return {};
    }
    UniqueFd fd(::open(meeting.exchange(std::string()).c_str(), O_RDWR | O_CLOEXEC));
    KRG_TRY_ASSIGN(segment_, shm::Segment::adopt(std::move(fd), sizeof(Words)));
    return {};
  }

  void serve(const harness::Job&, const harness::Baton& baton) override {
    std::uint32_t seen = words().pong.load();
    while (baton.held()) {
      const std::uint32_t now = words().ping.load(std::memory_order_acquire);
      if (now == seen) {
        idle(words().ping, seen);
        continue;
      }
      seen = now;
      answer(words().pong, now);
    }
  }

  Result<harness::Sample> measure(const harness::Job& job) override {
    return time_each(job, [this]() -> Status {
      const std::uint32_t last = words().pong.load();
      answer(words().ping, last + 1);
      while (words().pong.load(std::memory_order_acquire) == last) idle(words().pong, last);
      return {};
    });
  }

 private:
  struct Words {
    alignas(128) shm::FutexWord ping{0};
    alignas(128) shm::FutexWord pong{0};
  };

  Words& words() noexcept { return *reinterpret_cast<Words*>(segment_.bytes().data()); }
  void answer(shm::FutexWord& word, std::uint32_t value) noexcept {
    word.store(value, std::memory_order_release);
    if (sleeps_) shm::futex_wake(word, 1);
  }
  void idle(const shm::FutexWord& word, std::uint32_t seen) noexcept {
    if (sleeps_) {
      shm::futex_wait(word, seen, Deadline(shm::monotonic_now() + 5ms));
    } else {
      spin_pause();
    }
  }

  const bool sleeps_;
  shm::Segment segment_;
};

template <class T>
harness::MakeContestant make(bool sleeps) {
  return [sleeps] { return std::make_unique<T>(sleeps); };
}

}  // namespace

int main(int argc, char** argv) {
  harness::Program program(
      "krg_gate_latency",
      "two processes that pass a word of shared memory back and forth, by "
      "spinning and by futex; krg is a call from a task to its krgd, which "
      "is awake in the first rows; in the last both sleep a millisecond between calls");
  program.only_over({harness::Transport::shm}, "a task reaches its krgd by shared memory alone");
  program.sizes_are("bytes of each request (default: the bench's own)", 0, kRequestMax);
  program.parse(argc, argv);
  const auto match = [&](harness::MakeContestant krg, const std::string& how, std::size_t size,
                         bool spin, std::uint64_t apart = 0) {
    const std::string name = (size == 0 ? "null call" : "call") + how;
    harness::Match m;
    m.entrants.push_back({"krg", std::move(krg)});
    if (spin) m.entrants.push_back({"spinning", make<PingPong>(false)});
    m.entrants.push_back({"futex", make<PingPong>(true)});
    m.rows.push_back({name, "us", {.size = size, .detail = apart}});
    program.add(std::move(m));
  };
  for (const std::size_t size : program.sizes_or({0, 64, 4096, 65536})) {
    match(make<Gate<Echo>>(false), "", size, size == 0);
  }
  for (const std::size_t size : program.sizes_or({0})) {
    match(make<Gate<EchoByCoroutine>>(false), ", coroutine", size, size == 0);
    match(make<Gate<Echo>>(true), ", krgd sleeps", size, false, 1'000'000);
  }
  return program.run();
}
