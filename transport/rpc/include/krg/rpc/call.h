// rpc/call.h: a call under way: what co_await rpc.call<S>(...) waits on.
//
// Model    lives in the caller's frame from co_await to the answer: it holds the request until it
// is sent,
//          the timer, and the decoded reply. Destroying it (with its coroutine) cancels the call at
//          the peer. Every call ends exactly once: reply, error of the handler, timed_out,
//          peer_down, unreachable, cancelled or shutting_down.
// Threads  owned by the reactor's thread.
// Blocks   never; it suspends.
// Source   docs/design/rpc.md, "Rules"
#pragma once

#include <coroutine>
#include <cstdint>

#include "krg/base/intrusive_list.h"
#include "krg/error/result.h"
#include "krg/reactor/reactor.h"
#include "krg/rpc/payload.h"
#include "krg/rpc/service.h"

namespace krg::rpc {

class Rpc;
struct Peer;

// A call without its types: the part that rpc's machinery sees.
class CallBase : protected reactor::Ready, private reactor::Timer, ListNode<struct CallTag> {
 public:
  CallBase(const CallBase&) = delete;
  CallBase& operator=(const CallBase&) = delete;

  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> caller) noexcept;

 protected:
  CallBase(Rpc& rpc, NodeId to, ServiceId service, CallOptions options) noexcept;
  ~CallBase();

  // Requires  before start().
  void set_bulk(Bulk bulk) noexcept;
  // Sends it, or queues it; completed() follows, never from within start().
  void start() noexcept;
  virtual Payload payload() const noexcept = 0;
  // Decodes a reply; false if it is malformed.
  virtual bool accept(wire::Bytes typed) noexcept = 0;
  // The call has ended with error() or, if that is ok, with a reply that accept() took.
  virtual void completed() noexcept;
  // The stream that this call opened, if it did.
  virtual class StreamCore* stream() noexcept { return nullptr; }

  Error error_;
  Buffer data_;  // Before: where the reply's data shall land. After: that data.
  Rpc& rpc_;

 private:
  friend class Rpc;
  friend struct Peer;
  template <class T, class U>
  friend class krg::IntrusiveList;

  void on_timer() noexcept override;
  void finish(Error error) noexcept;

  Peer* peer_ = nullptr;
  Buffer attach_;
  Deadline deadline_;
  std::uint64_t key_ = 0;
  std::uint64_t id_ = 0;  // 0 until it has a slot.
  NodeId to_;
  ServiceId service_;
  std::uint8_t flags_ = 0;
  std::uint8_t lane_;
  bool sent_ = false;
  std::uint64_t began_ = 0;  // ticks(), when this call's latency is sampled.
};

// co_await gives Result<S::Reply>.
template <Service S>
class [[nodiscard]] Call final : public CallBase {
 public:
  Call(Rpc& rpc, NodeId to, const typename S::Request& request, CallOptions options) noexcept
      : CallBase(rpc, to, S::kId, options), request_(request) {}

  Result<typename S::Reply> await_resume() noexcept {
    if (error_.code() != Errc::ok) return error_;
    return std::move(reply_);
  }

 private:
  Payload payload() const noexcept override { return Payload::of(request_); }
  bool accept(wire::Bytes typed) noexcept override {
    wire::Decoder in{typed};
    wire::get(in, reply_);
    return in.finished();
  }

  const typename S::Request& request_;
  typename S::Reply reply_{};
};

// co_await gives Result<WithData<S::Reply>>: the reply and the bulk data that came with it.
template <Service S>
class [[nodiscard]] DataCall final : public CallBase {
 public:
  DataCall(Rpc& rpc, NodeId to, const typename S::Request& request, CallOptions options,
           Bulk bulk) noexcept
      : CallBase(rpc, to, S::kId, options), request_(request) {
    set_bulk(std::move(bulk));
  }

  Result<WithData<typename S::Reply>> await_resume() noexcept {
    if (error_.code() != Errc::ok) return error_;
    return WithData<typename S::Reply>{std::move(reply_), std::move(data_)};
  }

 private:
  Payload payload() const noexcept override { return Payload::of(request_); }
  bool accept(wire::Bytes typed) noexcept override {
    wire::Decoder in{typed};
    wire::get(in, reply_);
    return in.finished();
  }

  const typename S::Request& request_;
  typename S::Reply reply_{};
};

// co_await gives Result<std::vector<std::byte>>: a call of a service known only by its number.
class [[nodiscard]] RawCall final : public CallBase {
 public:
  RawCall(Rpc& rpc, NodeId to, ServiceId service, wire::Bytes request, CallOptions options) noexcept
      : CallBase(rpc, to, service, options), request_(request) {}

  Result<std::vector<std::byte>> await_resume() noexcept {
    if (error_.code() != Errc::ok) return error_;
    return std::move(reply_);
  }

 private:
  Payload payload() const noexcept override { return Payload::raw(request_); }
  bool accept(wire::Bytes typed) noexcept override {
    reply_.assign(typed.begin(), typed.end());
    return true;
  }

  const wire::Bytes request_;
  std::vector<std::byte> reply_;
};

}  // namespace krg::rpc
