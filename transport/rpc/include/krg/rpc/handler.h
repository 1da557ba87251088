// rpc/handler.h: from bytes to a typed handler and back.
//
// Model    a handler is `Result<Reply>(Incoming&, Request&)`, run to its end where the message
// arrives, or
//          `Co<Result<Reply>>(Incoming&, Request)`, a coroutine. A stream handler is
//          `Co<Result<Reply>>(Incoming&, Request, ServerStream<S>&)`. A Request that a coroutine
//          gets must own its bytes: no std::span in it.
// Threads  owned by the reactor's thread.
// Blocks   never.
// Source   docs/design/rpc.md, "Rules"
#pragma once

#include <type_traits>
#include <utility>

#include "krg/reactor/co.h"
#include "krg/rpc/incoming.h"
#include "krg/rpc/service.h"

namespace krg::rpc {

class Handler {
 public:
  virtual ~Handler();
  // Whether executions may overlap in time; only those need queues for their keys.
  virtual bool suspends() const noexcept = 0;
  virtual void handle(Arrival&& arrival, wire::Bytes typed) = 0;

 protected:
  // Starts a handler's coroutine on the reactor of the request's rpc.
  static void spawn(Rpc& rpc, Co<void> execution);
};

template <Service S, class F>
class CallHandler final : public Handler {
  using Request = typename S::Request;
  using Reply = typename S::Reply;
  static constexpr bool kInline =
      std::is_same_v<std::invoke_result_t<F&, Incoming&, Request&>, Result<Reply>>;

 public:
  explicit CallHandler(F f) : f_(std::move(f)) {}

  bool suspends() const noexcept override { return !kInline; }

  void handle(Arrival&& arrival, wire::Bytes typed) override {
    Request request{};
    wire::Decoder in{typed};
    wire::get(in, request);
    if (!in.finished()) {
      Incoming(std::move(arrival), false).answer(Error(Errc::protocol_error, S::kName));
    } else if constexpr (kInline) {
      Incoming incoming(std::move(arrival), false);
      answer(incoming, f_(incoming, request));
    } else {
      Rpc& rpc = *arrival.rpc;
      spawn(rpc, run(f_, std::move(arrival), std::move(request)));
    }
  }

 private:
  static void answer(Incoming& incoming, const Result<Reply>& result) noexcept {
    if (result) {
      incoming.answer(Payload::of(*result));
    } else {
      incoming.answer(result.error());
    }
  }
  static Co<void> run(F& f, Arrival arrival, Request request) {
    Incoming incoming(std::move(arrival), true);
    answer(incoming, co_await f(incoming, std::move(request)));
  }

  F f_;
};

}  // namespace krg::rpc
