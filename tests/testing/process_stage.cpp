#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>

#include "krg/base/unique_fd.h"
#include "krg/testing/child.h"
#include "krg/testing/peer_player.h"
#include "krg/testing/stage.h"

// Remote nodes as processes, and local ones in real time.
namespace krg::testing {
namespace {

constexpr std::chrono::seconds kStartLimit{20};

std::map<std::string, OpenFabric>& open_functions() {
  static std::map<std::string, OpenFabric> functions;
  return functions;
}

class ProcessNode final : public RemoteNode {
 public:
  ProcessNode(pid_t pid, UniqueFd life, std::string address)
      : pid_(pid), life_(std::move(life)), address_(std::move(address)) {}
  ~ProcessNode() override { kill(); }
  const std::string& address() const override { return address_; }
  void kill() override {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }
  void stop() override { ::kill(pid_, SIGSTOP); }
  void resume() override { ::kill(pid_, SIGCONT); }

 private:
  pid_t pid_;
  UniqueFd life_;  // The child ends when this is closed.
  std::string address_;
};

// The first line that comes out of `fd`; empty if none comes in time.
std::string read_line(int fd) {
  std::string line;
  const reactor::RealClock clock;
  const TimePoint end = clock.now() + kStartLimit;
  while (clock.now() < end) {
    pollfd one{fd, POLLIN, 0};
    if (::poll(&one, 1, 100) <= 0) continue;
    char c;
    if (::read(fd, &c, 1) != 1) return {};
    if (c == '\n') return line;
    line += c;
  }
  return {};
}

std::unique_ptr<RemoteNode> spawn(const std::string& provider, PeerRole role,
                                  const fabric::Options& options) {
  std::array<int, 2> in, out;
  if (::pipe2(in.data(), O_CLOEXEC) != 0) return nullptr;
  UniqueFd child_in(in[0]), life(in[1]);
  if (::pipe2(out.data(), O_CLOEXEC) != 0) return nullptr;
  UniqueFd address(out[0]), child_out(out[1]);

  std::array<std::string, 9> words{"/proc/self/exe",
                                   "--child",
                                   "fabric_peer",
                                   provider,
                                   std::to_string(static_cast<int>(role)),
                                   std::to_string(options.self.node.value),
                                   std::to_string(options.self.incarnation.value),
                                   std::to_string(static_cast<int>(options.key[0])),
                                   options.listen};
  std::array<char*, words.size() + 1> argv{};
  std::ranges::transform(words, argv.begin(), [](std::string& word) { return word.data(); });

  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, child_in.get(), STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, child_out.get(), STDOUT_FILENO);
  pid_t pid = -1;
  const int error = ::posix_spawn(&pid, "/proc/self/exe", &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) return nullptr;
  child_out.reset();
  auto node = std::make_unique<ProcessNode>(pid, std::move(life), read_line(address.get()));
  return node->address().empty() ? nullptr : std::move(node);
}

class ProcessStage final : public Stage {
 public:
  ProcessStage(std::string provider, OpenFabric open)
      : provider_(std::move(provider)), open_(std::move(open)) {}

  reactor::Reactor& reactor(NodeId node) override {
    auto& entry = nodes_[node.value];
    if (entry.reactor == nullptr) entry.reactor = std::make_unique<reactor::Reactor>(clock_);
    return *entry.reactor;
  }
  Result<std::unique_ptr<fabric::Fabric>> open(reactor::Reactor& reactor, fabric::EventSink& sink,
                                               const fabric::Options& options) override {
    return open_(reactor, sink, options);
  }
  std::unique_ptr<RemoteNode> start(PeerRole role, const fabric::Options& options) override {
    return spawn(provider_, role, options);
  }
  void turn() override {
    bool worked = false;
    for (auto& [node, entry] : nodes_) worked |= !entry.paused && entry.reactor->turn();
    // A reactor looks at its descriptors only every 128 turns; a yield may cost a time slice on a
    // busy machine, so not every idle turn makes one.
    idle_turns_ = worked ? 0 : idle_turns_ + 1;
    if (idle_turns_ % 256 == 255) ::sched_yield();
  }
  void pause(NodeId node, bool paused) override { nodes_.at(node.value).paused = paused; }
  TimePoint now() const override { return clock_.now(); }

 private:
  struct Entry {
    std::unique_ptr<reactor::Reactor> reactor;
    bool paused = false;
  };
  const std::string provider_;
  const OpenFabric open_;
  const reactor::RealClock clock_;
  std::map<std::uint32_t, Entry> nodes_;
  unsigned idle_turns_ = 0;
};

// Ends the process when its parent closes the pipe.
class LifeLine final : public reactor::FdHandler {
 public:
  explicit LifeLine(reactor::Reactor& reactor) : reactor_(reactor) {}
  void on_fd(std::uint32_t) noexcept override { reactor_.stop(); }

 private:
  reactor::Reactor& reactor_;
};

// program --child fabric_peer PROVIDER ROLE NODE INCARNATION KEY LISTEN
int fabric_peer(std::span<char*> arguments) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (arguments.size() != 6) return 2;
  providers_under_test();  // Fills the table of open functions.
  const auto open = open_functions().find(arguments[0]);
  if (open == open_functions().end()) return 2;
  const auto role = static_cast<PeerRole>(std::atoi(arguments[1]));
  fabric::Options options;
  options.self.node = NodeId{static_cast<std::uint32_t>(std::atoi(arguments[2]))};
  options.self.incarnation = Incarnation{static_cast<std::uint32_t>(std::atoi(arguments[3]))};
  options.key.fill(static_cast<std::byte>(std::atoi(arguments[4])));
  options.listen = arguments[5];

  const reactor::RealClock clock;
  reactor::Reactor reactor(clock);
  PeerPlayer player(role, options.self.incarnation);
  auto fabric = open->second(reactor, player, options);
  if (!fabric || !player.begin(**fabric)) return 1;
  LifeLine life(reactor);
  if (!reactor.watch(STDIN_FILENO, EPOLLIN | EPOLLHUP, life)) return 1;
  std::printf("%s\n", (*fabric)->address().c_str());
  std::fflush(stdout);
  reactor.run();
  player.end();
  return 0;
}

const ChildMode fabric_peer_mode("fabric_peer", fabric_peer);

}  // namespace

ProviderUnderTest real_provider(std::string name, OpenFabric open) {
  open_functions().insert_or_assign(name, open);
  return {name, [name, open] { return std::make_unique<ProcessStage>(name, open); }};
}

}  // namespace krg::testing
