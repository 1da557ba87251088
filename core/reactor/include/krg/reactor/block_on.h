// reactor/block_on.h: runs one coroutine to its end, for programs that do one thing: tools, tests.
//
// Model    block_on(reactor, work()) runs the reactor until work() has ended and gives its result.
// Threads  the reactor's thread, outside of any turn.
// Blocks   until the coroutine ends: its own deadlines bound it.
// Source   docs/design/reactor.md, "Coroutines"
#pragma once

#include <optional>
#include <utility>

#include "krg/reactor/co.h"
#include "krg/reactor/reactor.h"

namespace krg::reactor {

namespace detail {
template <class T>
Co<void> run_and_stop(Reactor& reactor, Co<T> work, std::optional<T>& result) {
  result.emplace(co_await std::move(work));
  reactor.stop();
}
}  // namespace detail

// Requires  the reactor is not running.
template <class T>
T block_on(Reactor& reactor, Co<T> work) {
  std::optional<T> result;
  reactor.spawn(detail::run_and_stop(reactor, std::move(work), result));
  while (!result) reactor.run();  // Somebody else may call stop().
  return *std::move(result);
}

}  // namespace krg::reactor
