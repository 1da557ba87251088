// What UCX does that its users would not expect, and krg must not pass on.
#include <dirent.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <ucs/config/global_opts.h>
#include <ucs/debug/log_def.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include "krg/log/log.h"
#include "krg/testing/child.h"
#include "krg/testing/fabric_conformance.h"
#include "krg/ucx/ucx.h"
#include "providers.h"

namespace krg::testing {
namespace {

using std::chrono::milliseconds;

class UcxTraps : public FabricConformance {};

INSTANTIATE_TEST_SUITE_P(Ucx, UcxTraps, ::testing::ValuesIn(providers_under_test()),
                         [](const auto& info) { return info.param.name; });

void own_handler(int) {}

// Runs before main(), and after UCX's library is loaded.
const int handlers_at_start = [] {
  struct sigaction action {};
  action.sa_handler = own_handler;
  sigaction(SIGILL, &action, nullptr);
  return ucx::remove_signal_handlers();
}();

TEST(UcxSignals, HandlersOfUcxAreRemovedAndOthersStay) {
  EXPECT_GT(handlers_at_start, 0) << "UCX no longer installs any: remove_signal_handlers() can go";
  EXPECT_EQ(ucx::remove_signal_handlers(), 0);
  struct sigaction action {};
  ASSERT_EQ(sigaction(SIGILL, nullptr, &action), 0);
  EXPECT_EQ(action.sa_handler, own_handler);
  for (const int signal : {SIGSEGV, SIGBUS, SIGFPE, SIGHUP}) {
    ASSERT_EQ(sigaction(signal, nullptr, &action), 0);
    EXPECT_TRUE(action.sa_handler == SIG_DFL) << "signal " << signal;
  }
}

// Goal    what UCX complains of is in krg's log, and nowhere if nobody wants to know.
TEST(UcxMessages, ErrorsOfUcxGoToOurLog) {
  ucx::take_messages();
  const std::string path = ::testing::TempDir() + "ucx-messages-" + std::to_string(getpid());
  ASSERT_OK(log::open(path));
  const auto complain_at = [](log::Level level) {
    log::set_level(level);
    ucs_log_dispatch(__FILE__, __LINE__, __func__, UCS_LOG_LEVEL_ERROR,
                     &ucs_global_opts.log_component, "no %s to see", "peer");
    log::set_level(log::Level::warn);
    std::fflush(stdout);
  };
  ::testing::internal::CaptureStdout();
  complain_at(log::Level::warn);
  EXPECT_EQ(std::filesystem::file_size(path), 0u);
  complain_at(log::Level::info);
  EXPECT_EQ(::testing::internal::GetCapturedStdout(), "");
  ASSERT_OK(log::open("/dev/stderr"));
  std::stringstream text;
  text << std::ifstream(path).rdbuf();
  std::filesystem::remove(path);
  EXPECT_NE(text.str().find("ucx says: no peer to see"), std::string::npos) << text.str();
}

TEST_P(UcxTraps, OpeningLeavesNoHandlerOfUcx) {
  open(1);
  EXPECT_EQ(ucx::remove_signal_handlers(), 0);
}

// Goal    a killed peer is known within 100 ms, idle or not; UCX alone takes 20 s over shared
//         memory.
// Method  the best of three: on a busy machine the test itself may have to wait for a processor.
TEST_P(UcxTraps, KilledPeerIsNoticedAtOnce) {
  LocalNode& a = open(1);
  Duration fastest = kLimit;
  for (std::uint32_t round = 0; round < 3; ++round) {
    auto remote = start(PeerRole::echo, 2, Incarnation{round + 1});
    ASSERT_TRUE(join(a, NodeId{2}, *remote));
    ASSERT_TRUE(send(a, NodeId{2}, pattern(100, 1)));
    Link& link = a.sink.links[round];
    ASSERT_TRUE(until([&] { return link.arrived.size() == 1; }));
    const TimePoint killed = stage().now();
    remote->kill();
    ASSERT_TRUE(until([&] { return link.down; }));
    fastest = std::min(fastest, stage().now() - killed);
    EXPECT_FALSE(link.graceful);
  }
  EXPECT_LT(fastest, milliseconds(100));
}

std::size_t open_descriptors() {
  std::size_t count = 0;
  DIR* dir = opendir("/proc/self/fd");
  while (readdir(dir) != nullptr) ++count;
  closedir(dir);
  return count;
}

TEST_P(UcxTraps, ConnectionsThatComeAndGoLeakNoDescriptor) {
  LocalNode& a = open(1);
  std::size_t before = 0;
  for (std::uint32_t round = 0; round < 30; ++round) {
    LocalNode& b = open(2, Incarnation{round + 1});
    ASSERT_TRUE(join(a, b));
    ASSERT_TRUE(send(a, b.id, pattern(100, 1)));
    ASSERT_TRUE(until([&] { return !b.sink.links[0].arrived.empty(); }));
    b.fabric.reset();
    ASSERT_TRUE(until([&] { return a.sink.up_count() == 0; }));
    if (round == 5) before = open_descriptors();
  }
  pass(milliseconds(300));
  EXPECT_LE(open_descriptors(), before + 3);
}

// Goal    with too few descriptors a connection fails with an error, and works again when there are
//         some.
TEST_P(UcxTraps, ShortageOfDescriptorsIsAnErrorAndNoMore) {
  LocalNode& a = open(1);
  LocalNode& b = open(2);
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  // `.`, `..` and the directory itself are among those counted.
  for (const rlim_t spare : {0, 1, 2, 3, 5, 8, 11, 14}) {
    const std::size_t ups = a.sink.links.size();
    const std::size_t failures = a.sink.failures.size();
    rlimit tight = before;
    tight.rlim_cur = open_descriptors() - 3 + spare;
    ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &tight), 0);
    a.fabric->connect(b.id, b.fabric->address(), in(milliseconds(300)));
    const bool ended =
        until([&] { return a.sink.failures.size() > failures || a.sink.links.size() > ups; });
    pass(milliseconds(50));
    setrlimit(RLIMIT_NOFILE, &before);
    ASSERT_TRUE(ended) << spare << " spare descriptors";
    if (a.sink.up_count() > 0) a.to(b.id).close();
    ASSERT_TRUE(until([&] { return a.sink.up_count() == 0 && b.sink.up_count() == 0; }));
  }
  ASSERT_TRUE(join(a, b));
  const std::size_t arrived = b.sink.link(a.id)->arrived.size();
  ASSERT_TRUE(send(a, b.id, pattern(100, 1)));
  EXPECT_TRUE(until([&] { return b.sink.link(a.id)->arrived.size() == arrived + 1; }));
}

TEST(UcxSpaces, PeerInAnotherIpcSpaceOfThisHostIsReachedByNetwork) {
  const auto provider = other_ipc_provider();
  const auto stage = provider.make_stage();
  fabric::Options options;
  options.listen = "127.0.0.1";
  options.self = {NodeId{2}, Incarnation{1}};
  options.key.fill(std::byte{0});
  auto remote = stage->start(PeerRole::echo, options);
  ASSERT_NE(remote, nullptr);

  options.self.node = NodeId{1};
  Recorder sink;
  auto fabric = stage->open(stage->reactor(NodeId{1}), sink, options);
  ASSERT_OK(fabric);
  const TimePoint end = stage->now() + kLimit;
  const auto until = [&](const std::function<bool()>& condition) {
    while (!condition() && stage->now() < end) stage->turn();
    return condition();
  };
  (*fabric)->connect(NodeId{2}, remote->address(), Deadline(end));
  ASSERT_TRUE(until([&] { return sink.up_count() == 1; }));
  Bytes message = message_of(pattern(5000, 1));
  Told sent, sent_large;
  Link& link = *sink.link(NodeId{2});
  ASSERT_OK(link.endpoint->send(message, sent));
  const Bytes data = pattern(3 << 20, 2);
  const std::vector<std::span<const std::byte>> parts{data};
  Bytes header = message_of(pattern(8, 3));
  ASSERT_OK(link.endpoint->send_large(header, parts, sent_large));
  ASSERT_TRUE(until([&] { return link.arrived.size() == 2 && link.all_whole(); }));
  EXPECT_EQ(link.arrived[1]->data, data);
}

// --- An interface that runs only a moment after it was switched on. In a process of its own, as a
// thread can not come back from a network name space that it may not enter again.

int late_interface(std::span<char*>) {
  if (!leave_space(CLONE_NEWNET)) return 3;
  const auto run = [](const char* command) { return std::system(command) == 0; };
  if (!run("ip link set lo up && ip link add v0 type veth peer name v1 && "
           "ip addr add 10.99.7.1/24 dev v0 && ip link set v0 up")) {
    return 4;
  }
  std::thread later([&] {
    std::this_thread::sleep_for(milliseconds(150));  // The peer's host is still booting.
    run("ip link set v1 up");
  });
  const reactor::RealClock clock;
  reactor::Reactor reactor(clock);
  Recorder sink;
  fabric::Options options;
  options.self = {NodeId{1}, Incarnation{1}};
  options.reach = fabric::Reach::tcp;
  const auto opened = ucx::open(reactor, sink, options);
  later.join();
  if (!opened) return 1;
  return opened.value()->address().rfind("10.99.7.1:", 0) == 0 ? 0 : 2;
}
const ChildMode late_interface_mode("late_interface", late_interface);

TEST(UcxSpaces, InterfaceThatComesUpLateIsWaitedFor) {
  const int result = std::system("/proc/$PPID/exe --child late_interface");
  ASSERT_TRUE(WIFEXITED(result));
  EXPECT_EQ(WEXITSTATUS(result), 0)
      << "2: the address of the late interface is missing; 3, 4: no name space to test in";
}

}  // namespace
}  // namespace krg::testing
