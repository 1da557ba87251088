// gate/control.h: a tool's side of the control socket: typed calls and streams, asynchronous.
//
// Model    one connection to one krgd.
//            gate::Control control(reactor);
//            KRG_CO_TRY(co_await control.connect(path, deadline));
//            const StatusRequest request{"all"};
//            auto reply = co_await control.call<Status>(request, deadline);
//            gate::ClientStream<Launch> job = control.open<Launch>(request);
//            while (auto frame = co_await job.receive(deadline)) print(*frame);
//            auto result = co_await job.reply(deadline);
//          (Within a coroutine name what you pass: gcc 12 copies a braced temporary in a co_await
//          expression byte by byte and frees it twice.) A blocking program runs one coroutine with
//          reactor::block_on(). Dropping a stream, or a call that is awaited no longer, cancels it
//          at the server.
// Threads  the reactor's thread.
// Blocks   never; everything suspends until its deadline.
// Source   docs/design/gate.md, "Control socket"
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "krg/base/unique_fd.h"
#include "krg/error/result.h"
#include "krg/gate/stream.h"
#include "krg/reactor/reactor.h"
#include "krg/wire/service.h"

namespace krg::gate {

class Control;

// A call on its way: what was sent with it, what came back.
class PendingCall {
 public:
  struct Answer {
    std::vector<std::byte> body;
    std::vector<UniqueFd> fds;
  };

  PendingCall(const PendingCall&) = delete;
  PendingCall& operator=(const PendingCall&) = delete;
  ~PendingCall();  // Cancels what is not answered.

  // Requires  called once.
  Co<Result<Answer>> answer(Deadline deadline);
  Conversation& conversation() noexcept { return conversation_; }

 private:
  friend class Control;
  PendingCall(Control& control, std::uint32_t id);

  Control* const control_;  // Valid until answered_.
  const std::uint32_t id_;
  bool answered_ = false;
  Error error_;  // Of an answer without a body.
  Answer answer_;
  reactor::Event done_;
  Conversation conversation_;
};

// The caller's side of a stream service.
template <wire::StreamService S>
class ClientStream : public Stream<typename S::Up, typename S::Down> {
 public:
  explicit ClientStream(std::unique_ptr<PendingCall> call)
      : Stream<typename S::Up, typename S::Down>(call->conversation()), call_(std::move(call)) {}

  // The answer that ends the call; items not yet received stay to be received.
  // Requires  called once.
  Co<Result<typename S::Reply>> reply(Deadline deadline) { return take(call_.get(), deadline); }

 private:
  static Co<Result<typename S::Reply>> take(PendingCall* call, Deadline deadline) {
    KRG_CO_TRY_ASSIGN(const PendingCall::Answer answer, co_await call->answer(deadline));
    co_return wire::decode<typename S::Reply>(answer.body);
  }

  std::unique_ptr<PendingCall> call_;
};

class Control {
 public:
  // Requires  `reactor` outlives this. Calls and streams that outlive it end with `cancelled`.
  explicit Control(reactor::Reactor& reactor);
  Control(const Control&) = delete;
  Control& operator=(const Control&) = delete;
  ~Control();

  // Errors  not_found  no such socket. unreachable  nobody listens. denied. version_mismatch.
  //         timed_out
  Co<Status> connect(std::string path, Deadline deadline);
  bool connected() const noexcept;
  // Set when the connection, once made, is gone.
  reactor::Event& gone() noexcept { return gone_; }

  // `fds` go with the request; with `received` the reply's descriptors are kept, else closed.
  // Errors  peer_down  krgd went away. Those of the service.
  template <wire::Service S>
  Co<Result<typename S::Reply>> call(const typename S::Request& request, Deadline deadline,
                                     std::vector<UniqueFd> fds = {},
                                     std::vector<UniqueFd>* received = nullptr) {
    return take<S>(start(S::kId, wire::encode(request), deadline, std::move(fds)), deadline,
                   received);
  }
  template <wire::StreamService S>
  ClientStream<S> open(const typename S::Request& request, Deadline deadline = Deadline::never(),
                       std::vector<UniqueFd> fds = {}) {
    return ClientStream<S>(start(S::kId, wire::encode(request), deadline, std::move(fds)));
  }

 private:
  friend class PendingCall;
  class Link;

  std::unique_ptr<PendingCall> start(ServiceId service, std::vector<std::byte> request,
                                     Deadline deadline, std::vector<UniqueFd> fds);
  template <wire::Service S>
  static Co<Result<typename S::Reply>> take(std::unique_ptr<PendingCall> call, Deadline deadline,
                                            std::vector<UniqueFd>* received) {
    KRG_CO_TRY_ASSIGN(PendingCall::Answer answer, co_await call->answer(deadline));
    if (received != nullptr) *received = std::move(answer.fds);
    co_return wire::decode<typename S::Reply>(answer.body);
  }

  reactor::Reactor& reactor_;
  reactor::Event gone_;
  std::unique_ptr<Link> link_;
};

}  // namespace krg::gate
