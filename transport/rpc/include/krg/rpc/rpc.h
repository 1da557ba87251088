// rpc/rpc.h: typed calls between the nodes of a cluster.
//
// Model    one Rpc per reactor, over one fabric. Connections are made at the first call. Every call
//          ends by its deadline; a handler runs at most once per call; messages of a dead life of a
//          peer are dropped with its connection. Small messages to one peer that are made in one
//          turn travel as one. What may be under way to a peer is bounded; callers beyond that wait
//          their turn.
// Threads  owned by the reactor's thread.
// Blocks   never.
// Source   docs/design/rpc.md; Kerrighed net/krgrpc
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <type_traits>
#include <unordered_map>
#include <vector>

#include "krg/fabric/event_sink.h"
#include "krg/fabric/fabric.h"
#include "krg/reactor/reactor.h"
#include "krg/rpc/call.h"
#include "krg/rpc/call_table.h"
#include "krg/rpc/handler.h"
#include "krg/rpc/multicast.h"
#include "krg/rpc/options.h"
#include "krg/rpc/stream.h"
#include "krg/stats/registry.h"

namespace krg::rpc {

class Rpc final : public fabric::EventSink, public reactor::Poller {
 public:
  using Options = RpcOptions;
  using PeerEvents = rpc::PeerEvents;

  Rpc(reactor::Reactor& reactor, Options options);
  ~Rpc() override;

  // Requires  once, before the first turn; `fabric` was opened with this Rpc as its sink and is
  //           destroyed before it.
  void attach(fabric::Fabric& fabric) noexcept { fabric_ = &fabric; }
  void set_peer_events(PeerEvents events) { events_ = std::move(events); }
  // Where `node` is reached. An empty address forgets it: calls then end with unreachable.
  void set_address(NodeId node, std::string address);
  // Ends the connection to `node`, if there is one.
  void disconnect(NodeId node) noexcept;
  bool connected(NodeId node) const noexcept;
  void set_epoch(Epoch epoch) noexcept { epoch_ = epoch; }
  // Every node that is connected now, this one not counted.
  std::vector<NodeId> connected_peers() const;

  // Registers the handler of a service; see handler.h for its forms. A disabled service queues.
  template <Service S, class F>
  void serve(F handler, bool enabled = true) {
    if constexpr (StreamService<S>) {
      install(S::kId, S::kName, std::make_unique<StreamHandler<S, F>>(std::move(handler)), enabled);
    } else {
      install(S::kId, S::kName, std::make_unique<CallHandler<S, F>>(std::move(handler)), enabled);
    }
  }
  void enable(ServiceId service);
  void disable(ServiceId service) noexcept;

  // co_await it; see call.h. `request` must live until then. A temporary does, but gcc 12 would
  // destroy it twice unless its destructor is trivial (see CallOptions): so only such temporaries
  // are taken.
  template <Service S>
  Call<S> call(NodeId to, const typename S::Request& request, CallOptions options) noexcept {
    return Call<S>(*this, to, request, options);
  }
  template <Service S>
  requires(!std::is_trivially_destructible_v<typename S::Request>) Call<S> call(
      NodeId to, typename S::Request&& request, CallOptions options)
  = delete;
  // The same with bulk data beside request and reply.
  template <Service S>
  DataCall<S> call_data(NodeId to, const typename S::Request& request, CallOptions options,
                        Bulk bulk) noexcept {
    return DataCall<S>(*this, to, request, options, std::move(bulk));
  }
  template <Service S>
  requires(!std::is_trivially_destructible_v<typename S::Request>) DataCall<S> call_data(
      NodeId to, typename S::Request&& request, CallOptions options, Bulk bulk)
  = delete;
  // Sends a request that is never answered.
  // Errors  limit_reached  too much waits for that peer; unreachable  no address. Later loss is not
  // told.
  template <Service S>
  Status notify(NodeId to, const typename S::Request& request,
                Priority priority = Priority::normal) {
    return notify(to, S::kId, Payload::of(request), priority);
  }
  template <StreamService S>
  std::unique_ptr<ClientStream<S>> open(NodeId to, typename S::Request request,
                                        CallOptions options) {
    return std::make_unique<ClientStream<S>>(*this, to, std::move(request), options);
  }

  reactor::Reactor& reactor() noexcept { return reactor_; }
  const fabric::Identity& self() const noexcept { return options_.self; }
  BufferPool& buffers() noexcept { return buffers_; }
  // What each service has done, by kind of message; a few of its calls are timed.
  const stats::Registry& stats() const noexcept { return registry_; }
  // Calls without an answer yet and handlers that run: both 0 at rest.
  std::size_t pending_calls() const noexcept { return pending_calls_; }
  std::size_t active_handlers() const noexcept { return active_handlers_; }

  // Poller: delivers what this node sends to itself; sends at the turn's end what was gathered.
  bool poll() noexcept override;
  bool flush() noexcept override;
  bool arm() noexcept override;

  // EventSink, called by the fabric.
  void on_up(fabric::Endpoint& endpoint) override;
  void on_message(fabric::Endpoint& from, std::span<const std::byte> content) override;
  void on_large(fabric::Endpoint& from, std::span<const std::byte> header,
                fabric::LargeMessage& message) override;
  void on_writable(fabric::Endpoint& endpoint) override;
  void on_down(fabric::Endpoint& endpoint, Error why, bool graceful) override;
  void on_connect_failed(NodeId node, Error why) override;

 private:
  friend class CallBase;
  friend class Incoming;
  friend class StreamCore;
  friend struct Peer;
  friend class LargeReceive;

  struct ServiceEntry;
  struct Frame;

  void install(ServiceId id, const char* name, std::unique_ptr<Handler> handler, bool enabled);
  Status notify(NodeId to, ServiceId service, Payload request, Priority priority);

  Peer& peer(NodeId node);
  Peer* find_peer(NodeId node) const noexcept;
  void connect(Peer& peer) noexcept;
  void fail_peer(Peer& peer, Error why) noexcept;

  void start(CallBase& call) noexcept;
  void send_call(CallBase& call) noexcept;
  void send_cancel(CallBase& call) noexcept;
  void forget(CallBase& call) noexcept;
  void sample_begin(CallBase& call) noexcept;
  void sample_end(CallBase& call) noexcept;
  void count_failure(const CallBase& call) noexcept;
  void count_refusal(const Arrival& arrival) noexcept;
  void count_item(ServiceId service) noexcept;

  bool on_batch(Peer& from, wire::Bytes content);
  bool on_batch_header(Peer& from, const struct BatchHeader& header);
  bool split_attachment(Frame& frame, wire::Bytes& typed, Buffer* into);
  void receive_large(Peer& from, const struct FrameHeader& header, wire::Bytes typed,
                     std::uint8_t lane, fabric::LargeMessage& message);
  void begin_receiving(Peer& from);
  bool on_frame(Peer& from, Frame& frame);
  bool on_request(Peer& from, Frame& frame);
  bool on_reply(Peer& from, Frame& frame);
  bool on_error(const Frame& frame);
  bool on_cancel(Peer& from, const Frame& frame);
  bool on_forwarded(const Frame& frame);
  bool on_stream_frame(Peer& from, const Frame& frame);
  StreamCore* find_stream(Peer& from, const Frame& frame) const noexcept;
  void malformed(Peer& from, const char* what);

  void dispatch(Arrival&& arrival, wire::Bytes typed);
  void run_handler(ServiceEntry& service, Arrival&& arrival, wire::Bytes typed);
  void execution_done(const Arrival& arrival) noexcept;
  void key_done(ServiceEntry& service, std::uint64_t key) noexcept;
  bool cancel_queued(ServiceEntry& service, Peer& from, std::uint64_t call) noexcept;
  ServiceEntry* find_service(ServiceId id) const noexcept;
  // Of "other" for a service that is not served here.
  struct ServiceStats& stats_of(ServiceId id) noexcept;
  void drop(const Arrival& arrival) noexcept;
  void consumed(Peer& via, std::uint64_t session, std::uint8_t lane) noexcept;

  reactor::Reactor& reactor_;
  const Options options_;
  fabric::Fabric* fabric_ = nullptr;
  PeerEvents events_;
  Epoch epoch_{0};
  BufferPool buffers_;
  std::vector<std::unique_ptr<Peer>> peers_;    // By node id.
  std::unique_ptr<Peer> nowhere_;               // For numbers that no node has.
  IntrusiveList<Peer, struct DirtyTag> dirty_;  // Peers with something to send.
  std::vector<std::unique_ptr<ServiceEntry>>
      services_;  // Sparse, by id's low bits; see find_service.
  const std::unique_ptr<stats::Registry> own_registry_;  // None if a registry was given.
  stats::Registry& registry_;
  std::vector<struct ServiceStats> stats_;  // By service; unused numbers are "other", as 0 is.
  stats::Counter* to_others_;               // Frames and bytes.
  CallTable calls_;
  std::size_t pending_calls_ = 0;
  std::size_t active_handlers_ = 0;
};

}  // namespace krg::rpc
