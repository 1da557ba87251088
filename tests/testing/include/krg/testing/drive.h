// testing/drive.h: turns of reactors until something holds.
//
// Model    a test drives the reactors itself, in its own thread. With the virtual clock, time jumps
// to the
//          next timer whenever no reactor has work.
// Threads  owned by the test's thread.
// Blocks   until the condition or the limit.
// Source   docs/design/reactor.md, "Simulation"
#pragma once

#include <functional>
#include <span>

#include "krg/base/deadline.h"
#include "krg/reactor/reactor.h"

namespace krg::testing {

using Condition = std::function<bool()>;

// True if `condition` came to hold within `limit` of real time.
bool turn_until(std::span<reactor::Reactor* const> reactors, const Condition& condition,
                Duration limit);
// The same in virtual time: `clock` is the one of all `reactors`. False also when nothing is left
// to do.
bool turn_until(reactor::VirtualClock& clock, std::span<reactor::Reactor* const> reactors,
                const Condition& condition, Duration limit);
bool turn_until(reactor::VirtualClock& clock, reactor::Reactor& reactor, const Condition& condition,
                Duration limit);

}  // namespace krg::testing
