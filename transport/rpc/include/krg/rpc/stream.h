// rpc/stream.h: a conversation: items both ways, in order, beside one call.
//
// Model    the opener sends a request and gets a ClientStream; the handler gets a ServerStream.
// Either side
//          sends items until it ends; the handler's result ends the conversation. An item fits one
//          small message (about 8000 bytes encoded); at most 64 items are under way in each
//          direction.
// Threads  owned by the reactor's thread.
// Blocks   never; send() and recv() suspend until the window opens, an item comes, or the deadline.
// Source   docs/design/rpc.md, "Rules"; Kerrighed's rpc descriptors
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <vector>

#include "krg/reactor/event.h"
#include "krg/rpc/call.h"
#include "krg/rpc/handler.h"

namespace krg::rpc {

// One end of a conversation, without its types.
class StreamCore {
 public:
  StreamCore(Rpc& rpc, ServiceId service, bool server) noexcept;
  ~StreamCore();
  StreamCore(const StreamCore&) = delete;
  StreamCore& operator=(const StreamCore&) = delete;

  // Errors  too_large, timed_out, peer_down, cancelled, end_of_stream (the peer has ended the call)
  Co<Status> send(Payload item, Deadline deadline);
  // The next item's bytes. Errors: end_of_stream after the peer's last one; timed_out, peer_down,
  // cancelled.
  Co<Result<std::vector<std::byte>>> recv(Deadline deadline);
  // No more items from this side.
  void end() noexcept;

 private:
  friend class Rpc;
  friend class CallBase;
  template <StreamService S>
  friend class ClientStream;
  template <StreamService S>
  friend class ServerStream;

  reactor::Reactor& reactor() const noexcept;
  void bind(Peer& peer, std::uint64_t call) noexcept;
  // False: more than the window allows, or after the end.
  bool on_item(wire::Bytes item);
  void on_end() noexcept;
  bool on_window(std::uint32_t items) noexcept;
  // Nothing more comes from the peer, for the given reason.
  void on_closed(Error why) noexcept;

  Rpc& rpc_;
  const ServiceId service_;
  Peer* peer_ = nullptr;
  std::uint64_t session_ = 0;
  std::uint64_t call_ = 0;
  std::deque<std::vector<std::byte>> inbox_;
  reactor::Event readable_;
  reactor::Event writable_;
  std::uint32_t window_ = 0;
  std::uint32_t taken_ = 0;  // Items read since the peer was last told.
  Error closed_;
  bool server_;
  bool ended_ = false;       // by us
  bool peer_ended_ = false;  // by the peer
};

template <StreamService S>
class ServerStream {
 public:
  ServerStream(Rpc& rpc, Peer& peer, std::uint64_t call) noexcept : core_(rpc, S::kId, true) {
    core_.bind(peer, call);
  }
  Co<Status> send(const typename S::Down& item, Deadline deadline) {
    return core_.send(Payload::of(item), deadline);
  }
  Co<Result<typename S::Up>> recv(Deadline deadline) {
    auto bytes = co_await core_.recv(deadline);
    if (!bytes) co_return bytes.error();
    co_return wire::decode<typename S::Up>(*bytes);
  }
  void end() noexcept { core_.end(); }

 private:
  StreamCore core_;
};

template <StreamService S>
class ClientStream final : public CallBase {
 public:
  ClientStream(Rpc& rpc, NodeId to, typename S::Request request, CallOptions options)
      : CallBase(rpc, to, S::kId, options),
        request_(std::move(request)),
        core_(rpc, S::kId, false),
        done_(core_.reactor()) {
    start();
  }
  Co<Status> send(const typename S::Up& item, Deadline deadline) {
    return core_.send(Payload::of(item), deadline);
  }
  Co<Result<typename S::Down>> recv(Deadline deadline) {
    auto bytes = co_await core_.recv(deadline);
    if (!bytes) co_return bytes.error();
    co_return wire::decode<typename S::Down>(*bytes);
  }
  void end() noexcept { core_.end(); }
  // The handler's result; it comes by the deadline of the call itself.
  Co<Result<typename S::Reply>> finish() {
    // The call's own deadline or its peer's death sets the event.
    (void)co_await done_.wait(Deadline::never());
    if (error_.code() != Errc::ok) co_return error_;
    co_return reply_;
  }

 private:
  Payload payload() const noexcept override { return Payload::of(request_); }
  bool accept(wire::Bytes typed) noexcept override {
    wire::Decoder in{typed};
    wire::get(in, reply_);
    return in.finished();
  }
  void completed() noexcept override { done_.set(); }
  StreamCore* stream() noexcept override { return &core_; }

  typename S::Request request_;
  typename S::Reply reply_{};
  StreamCore core_;
  reactor::Event done_;
};

template <StreamService S, class F>
class StreamHandler final : public Handler {
  using Request = typename S::Request;
  using Reply = typename S::Reply;

 public:
  explicit StreamHandler(F f) : f_(std::move(f)) {}
  bool suspends() const noexcept override { return true; }
  void handle(Arrival&& arrival, wire::Bytes typed) override {
    Request request{};
    wire::Decoder in{typed};
    wire::get(in, request);
    if (!in.finished()) {
      Incoming(std::move(arrival), false).answer(Error(Errc::protocol_error, S::kName));
      return;
    }
    Rpc& rpc = *arrival.rpc;
    // Made here, so that items that stand right behind the request find their stream.
    auto stream = std::make_unique<ServerStream<S>>(rpc, *arrival.answer_to, arrival.call);
    spawn(rpc, run(f_, std::move(arrival), std::move(request), std::move(stream)));
  }

 private:
  static Co<void> run(F& f, Arrival arrival, Request request,
                      std::unique_ptr<ServerStream<S>> stream) {
    Incoming incoming(std::move(arrival), true);
    const Result<Reply> result = co_await f(incoming, std::move(request), *stream);
    if (result) {
      incoming.answer(Payload::of(*result));
    } else {
      incoming.answer(result.error());
    }
  }

  F f_;
};

}  // namespace krg::rpc
