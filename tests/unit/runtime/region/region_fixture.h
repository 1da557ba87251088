// What the tests of regions share: a krgd without a network in a process of its own; this process
// and its children are its tasks.
#pragma once

#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>
#include <thread>
#include <utility>

#include "krg/node/node.h"
#include "krg/region/region.h"
#include "krg/testing/quiet_fork.h"

namespace krg {

using namespace std::chrono_literals;

// On one node all kinds do the same for a program.
#ifdef KRG_TEST_CONSISTENCY
constexpr Consistency kConsistency = Consistency::KRG_TEST_CONSISTENCY;
#else
constexpr Consistency kConsistency = Consistency::sequential;
#endif

// Never returns.
[[noreturn]] inline void be_krgd(const std::string& gate) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  const reactor::RealClock clock;
  reactor::Reactor reactor(clock);
  node::Node node(reactor, {.self = {NodeId{0}, Incarnation{1}},
                            .cluster = "test",
                            .host = "here",
                            .key = {},
                            .listen = "",
                            .watch = {}});
  if (!node.found({Epoch{1}, NodeId{0}, {node.member()}}) || !node.open_gate(gate)) ::_exit(1);
  reactor.run();
  ::_exit(0);
}

class RegionTest : public ::testing::Test {
 protected:
  RegionTest() {
    char name[] = "/tmp/krg_region_XXXXXX";
    EXPECT_NE(mkdtemp(name), nullptr);
    folder_ = name;
    gate_ = folder_ + "/gate";
    // Of a region krgd has three, a task two.
    rlimit files{};
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    krgd_ = testing::quiet_fork();
    if (krgd_ == 0) be_krgd(gate_);
    for (int i = 0; i < 500 && !krgd_answers(); ++i) std::this_thread::sleep_for(10ms);
  }
  ~RegionTest() override {
    end_krgd();
    unlink(gate_.c_str());
    rmdir(folder_.c_str());
  }
  // Its socket is there before it listens.
  bool krgd_answers() const {
    return access(gate_.c_str(), F_OK) == 0 &&
           Region::destroy("nobody", gate_).error().code() == Errc::not_found;
  }
  void end_krgd() {
    if (krgd_ <= 0) return;
    kill(krgd_, SIGKILL);
    waitpid(std::exchange(krgd_, -1), nullptr, 0);
  }

  RegionOptions here(bool read_only = false) const {
    RegionOptions options;
    options.gate = gate_;
    options.read_only = read_only;
    return options;
  }
  Region open(const std::string& name, std::size_t bytes) {
    RegionShape shape;
    shape.consistency = kConsistency;
    // Only the first one makes it.
    static_cast<void>(Region::create(name, bytes, shape, gate_));
    auto region = Region::open(name, bytes, here());
    EXPECT_TRUE(region) << region.error().message();
    if (!region) ::_exit(1);
    return std::move(*region);
  }
  // How a child ends that does this.
  template <class Work>
  static int child(Work&& work) {
    const pid_t pid = testing::quiet_fork();
    if (pid == 0) ::_exit(work());
    int how = -1;
    waitpid(pid, &how, 0);
    return how;
  }
  template <class Work>
  static void expect_signal(int signal, Work&& work) {
    const int how = child([&] {
      ::signal(signal, SIG_DFL);  // The sanitizers have handlers, which end the process otherwise.
      return work();
    });
    EXPECT_TRUE(WIFSIGNALED(how) && WTERMSIG(how) == signal) << how;
  }
  template <class Work>
  static void expect_right(Work&& work) {
    const int how = child(work);
    EXPECT_TRUE(WIFEXITED(how) && WEXITSTATUS(how) == 0) << how;
  }

  std::string folder_, gate_;
  pid_t krgd_ = -1;
};

inline volatile char* at(const Region& region, std::size_t offset) {
  return reinterpret_cast<volatile char*>(region.data()) + offset;
}

inline int store(volatile char& at, char value) {
  at = value;
  return 0;
}

}  // namespace krg
