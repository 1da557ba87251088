#include "guard.h"

#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <condition_variable>
#include <cstdio>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "krg/gate/control.h"
#include "krg/reactor/block_on.h"

namespace krg {
namespace {

using namespace std::chrono_literals;

// Lives as long as the process: its thread may run until the very end.
struct State {
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<const Guarded*> regions;
  std::optional<Status> connected;
  bool running = false;
};

State& state() {
  static State* const one = new State;
  return *one;
}

// Nothing of `region` can be had any more.
void close(const Guarded& region) noexcept {
  const UniqueFd nothing(::memfd_create("krg.ended", MFD_CLOEXEC));
  // Beyond the end of its memory every touch is SIGBUS; without memory, SIGSEGV has to do.
  const int flags = nothing ? MAP_SHARED : MAP_PRIVATE | MAP_ANONYMOUS;
  const int rights = nothing ? PROT_READ | PROT_WRITE : PROT_NONE;
  ::mmap(reinterpret_cast<void*>(region.address), region.bytes, rights,
         flags | MAP_FIXED | MAP_NORESERVE, nothing ? nothing.get() : -1, 0);
  static_cast<void>(region.uffd.wake(region.address, region.bytes));
}

Co<Status> wait_for_end(gate::Control& control, std::string path, Deadline deadline) {
  const Status connected = co_await control.connect(std::move(path), deadline);
  {
    const std::lock_guard lock(state().mutex);
    state().connected = connected;
  }
  state().changed.notify_all();
  if (!connected) co_return connected;
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
  const Status how = reactor::block_on(reactor, wait_for_end(control, path, reactor.after(10s)));
  const std::lock_guard lock(state().mutex);
  state().running = false;
  if (!how) return;
  if (!state().regions.empty()) {
    std::fprintf(stderr, "krg: process %d: this node's krgd has ended, and its regions with it\n",
                 static_cast<int>(::getpid()));
  }
  for (const Guarded* const region : state().regions) close(*region);
}

// The thread is not the child's, nor are the regions.
void forget_in_child() noexcept {
  State& s = state();
  new (&s) State;
}

}  // namespace

Status guard(const std::string& gate, const Guarded& region) {
  State& s = state();
  std::unique_lock lock(s.mutex);
  if (!s.running) {
    static const int once = ::pthread_atfork(nullptr, nullptr, forget_in_child);
    static_cast<void>(once);
    s.running = true;
    s.connected.reset();
    std::thread(watch, gate).detach();
  }
  // Bounded by the connection's deadline.
  s.changed.wait(lock, [&] { return s.connected.has_value(); });
  if (!*s.connected) return *s.connected;
  s.regions.push_back(&region);
  return {};
}

void unguard(const Guarded& region) noexcept {
  State& s = state();
  const std::lock_guard lock(s.mutex);
  std::erase(s.regions, &region);
}

}  // namespace krg
