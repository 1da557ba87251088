// gate/handler.h: from a typed handler to the one the server keeps. Users include server.h instead.
//
// Model    Handler decodes the request, runs the user's function and encodes the reply. A coroutine
//          handler starts at once in the turn in which the request was found; one that does not
//          suspend costs one pooled frame, an inline handler none.
// Threads  the reactor's thread.
// Blocks   never.
// Source   docs/design/gate.md, "Serving"
#pragma once

#include <concepts>
#include <exception>
#include <memory>
#include <type_traits>
#include <utility>

#include "krg/gate/call.h"
#include "krg/gate/served.h"
#include "krg/gate/stream.h"
#include "krg/reactor/co.h"
#include "krg/reactor/frame_pool.h"
#include "krg/wire/service.h"

namespace krg::gate {

class Handler {
 public:
  virtual ~Handler() = default;
  // Answers `call`, now or later, then tells it finished().
  virtual void handle(Call& call) = 0;
  virtual const char* name() const noexcept = 0;

  // Where its calls are counted; nullptr = nowhere. The server's, so that it outlives the handler.
  Served* served = nullptr;
};

// The coroutine that serves one call. Its Call destroys it if the caller goes first.
struct Serving {
  struct promise_type {
    Call& call;

    // The promise sees the coroutine's parameters: the handler and the call.
    promise_type(auto&, Call& served, auto&&...) noexcept : call(served) {}
    static void* operator new(std::size_t bytes) { return reactor::allocate_frame(bytes); }
    static void operator delete(void* frame, std::size_t bytes) noexcept {
      reactor::free_frame(frame, bytes);
    }
    Serving get_return_object() noexcept {
      call.serving_ = std::coroutine_handle<promise_type>::from_promise(*this);
      return {};
    }
    std::suspend_never initial_suspend() const noexcept { return {}; }
    std::suspend_never final_suspend() const noexcept {
      call.serving_ = nullptr;
      call.finished();  // The call may be gone now; the frame frees itself without it.
      return {};
    }
    void return_void() const noexcept {}
    [[noreturn]] void unhandled_exception() const noexcept { std::terminate(); }
  };
};

template <wire::Service S>
void answer(Call& call, const Result<typename S::Reply>& reply) {
  if (!reply) return call.fail(reply.error());
  const std::size_t size = wire::encoded_size(*reply);
  const std::span<std::byte> room = call.room(size);
  if (room.size() < size) return call.fail(Error(Errc::too_large, "reply"));
  wire::Encoder out(room);
  wire::put(out, *reply);
  call.complete(size);
}

// F: Result<Reply>(Call&, const Request&).
template <wire::Service S, class F>
class InlineHandler final : public Handler {
 public:
  explicit InlineHandler(F function) : function_(std::move(function)) {}
  const char* name() const noexcept override { return S::kName; }
  void handle(Call& call) override {
    auto request = wire::decode<typename S::Request>(call.request());
    if (request) {
      answer<S>(call, function_(call, *request));
    } else {
      call.fail(request.error());
    }
    call.finished();
  }

 private:
  F function_;
};

// F: Co<Result<Reply>>(Call&, Request), or for streams Co<Result<Reply>>(Call&, ServerStream<S>,
// Request).
template <wire::Service S, class F>
class CoHandler final : public Handler {
 public:
  explicit CoHandler(F function) : function_(std::move(function)) {}
  const char* name() const noexcept override { return S::kName; }
  void handle(Call& call) override { serve(call); }

 private:
  Serving serve(Call& call) {
    auto request = wire::decode<typename S::Request>(call.request());
    if (!request) {
      call.fail(request.error());
    } else if constexpr (std::is_invocable_v<F&, Call&, typename S::Request>) {
      answer<S>(call, co_await function_(call, std::move(*request)));
    } else if (call.conversation() == nullptr) {
      call.fail(Error(Errc::not_supported, "a stream service is called over the socket"));
    } else {
      answer<S>(call, co_await function_(call, ServerStream<S>(*call.conversation()),
                                         std::move(*request)));
    }
    co_return;
  }

  F function_;
};

template <wire::Service S, class F>
std::unique_ptr<Handler> make_handler(F function) {
  if constexpr (std::is_invocable_r_v<Result<typename S::Reply>, F&, Call&,
                                      const typename S::Request&>) {
    return std::make_unique<InlineHandler<S, F>>(std::move(function));
  } else {
    return std::make_unique<CoHandler<S, F>>(std::move(function));
  }
}

}  // namespace krg::gate
