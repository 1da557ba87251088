// gate/one_call.h: a single call of a task to its krgd, for what is asked rarely.
//
// Model    a connection of its own to the control socket, one call, and the end of both. Where
//          krgd's socket is, whoever started the process has said.
// Threads  safe.
// Blocks   call_once(): until the answer, or the limit.
// Source   docs/design/gate.md, "Control socket"
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "krg/gate/control.h"
#include "krg/reactor/block_on.h"

namespace krg::gate {

// `given`, or if that is empty the socket of the krgd that started this process (KRG_GATE).
// Errors  not_found  nobody has said
Result<std::string> path_or_own(const std::string& given);

template <wire::Service S>
Co<Result<typename S::Reply>> connect_and_call(Control& control, std::string path,
                                               typename S::Request request, Deadline deadline,
                                               std::vector<UniqueFd> fds,
                                               std::vector<UniqueFd>* received) {
  KRG_CO_TRY(co_await control.connect(std::move(path), deadline));
  co_return co_await control.call<S>(request, deadline, std::move(fds), received);
}

// Errors  those of Control::connect() and Control::call()
template <wire::Service S>
Result<typename S::Reply> call_once(const std::string& path, typename S::Request request,
                                    Duration limit, std::vector<UniqueFd> fds = {},
                                    std::vector<UniqueFd>* received = nullptr) {
  const reactor::RealClock clock;
  reactor::Reactor reactor(clock);
  Control control(reactor);
  return reactor::block_on(
      reactor, connect_and_call<S>(control, path, std::move(request), reactor.after(limit),
                                   std::move(fds), received));
}

}  // namespace krg::gate
