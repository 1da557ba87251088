#include "guard.h"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <condition_variable>
#include <cstdio>
#include <map>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "krg/gate/control.h"
#include "krg/mm_calls/calls.h"
#include "krg/reactor/block_on.h"

namespace krg {
namespace {

using namespace std::chrono_literals;

constexpr Duration kConnectLimit = 10s;

// Of one krgd.
struct Watch {
  std::vector<Guarded*> regions;
  std::optional<Status> connected;
  bool running = false;
};

struct State {
  std::mutex mutex;
  std::condition_variable changed;
  std::map<std::string, Watch> watches;  // By the gate's path; they stay.
};

// Lives as long as the process: its thread may run until the very end. A child has its own.
State*& state() {
  static State* one = new State;
  return one;
}

Co<Status> wait_for_end(gate::Control& control, std::string path, Deadline deadline) {
  const Status connected = co_await control.connect(path, deadline);
  {
    const std::lock_guard lock(state()->mutex);
    state()->watches[path].connected = connected;
  }
  state()->changed.notify_all();
  if (!connected) co_return connected;
  for (mm::calls::Watch::Request request;;) {
    // As long as this process lives: changes are rare.
    const auto news = co_await control.call<mm::calls::Watch>(request, Deadline::never());
    if (!news) break;
    request.seen = news->seen;
    const std::lock_guard lock(state()->mutex);
    for (Guarded* const region : state()->watches[path].regions) {
      for (const auto& changed : news->regions) region->on_change(changed.set, changed.state);
    }
  }
  // As long as this process lives: krgd's end is what it is here for.
  co_return co_await control.gone().wait(Deadline::never());
}

void watch(const std::string& path) {
  // Signals are the program's.
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, nullptr);
  const reactor::RealClock clock;
  reactor::Reactor reactor(clock, reactor::Reactor::Waiting::block);
  gate::Control control(reactor);
  const Status how =
      reactor::block_on(reactor, wait_for_end(control, path, reactor.after(kConnectLimit)));
  const std::lock_guard lock(state()->mutex);
  Watch& mine = state()->watches[path];
  mine.running = false;
  if (!how || mine.regions.empty()) return;
  // First, so that nothing waits for a page any more; and without stdio, whose state may lie in
  // one.
  for (Guarded* const region : mine.regions) region->on_krgd_end();
  char line[96];
  const int length = std::snprintf(line, sizeof line,
                                   "krg: process %d: this node's krgd has ended, and its regions "
                                   "with it\n",
                                   static_cast<int>(::getpid()));
  static_cast<void>(!::write(STDERR_FILENO, line, static_cast<std::size_t>(length)));
}

void before_fork() noexcept { state()->mutex.lock(); }
void in_parent() noexcept { state()->mutex.unlock(); }
// The thread is not there, and what it has locked is not to be trusted.
void in_child() noexcept {
  const std::map<std::string, Watch> watches = std::move(state()->watches);
  state() = new State;
  for (const auto& [path, watch] : watches) {
    for (Guarded* const region : watch.regions) region->on_fork();
  }
}

}  // namespace

Status guard(const std::string& gate, Guarded& region) {
  static const int once = ::pthread_atfork(before_fork, in_parent, in_child);
  static_cast<void>(once);
  State& s = *state();
  std::unique_lock lock(s.mutex);
  Watch& its = s.watches[gate];
  if (!its.running) {
    its.running = true;
    its.connected.reset();
    std::thread(watch, gate).detach();
  }
  // Bounded by the connection's deadline.
  s.changed.wait(lock, [&] { return its.connected.has_value(); });
  if (!*its.connected) return *its.connected;
  its.regions.push_back(&region);
  return {};
}

void unguard(Guarded& region) noexcept {
  State& s = *state();
  const std::lock_guard lock(s.mutex);
  for (auto& [path, watch] : s.watches) std::erase(watch.regions, &region);
}

}  // namespace krg
