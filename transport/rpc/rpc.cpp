#include "krg/rpc/rpc.h"

#include "krg/log/log.h"
#include "rpc_impl.h"

namespace krg::rpc {

Rpc::Rpc(reactor::Reactor& reactor, Options options)
    : reactor_(reactor),
      options_(std::move(options)),
      own_registry_(options_.stats == nullptr ? std::make_unique<stats::Registry>() : nullptr),
      registry_(own_registry_ == nullptr ? *options_.stats : *own_registry_),
      stats_(1, ServiceStats::make(registry_, "other")),
      to_others_(registry_.counters("rpc.to_others.sent", kToOthers)) {
  serve<Multicast>([this](Incoming&, Multicast::Request request) -> Co<Result<Multicast::Reply>> {
    const Deadline deadline = reactor_.after(std::chrono::milliseconds(request.deadline_ms));
    // Named: gcc 12 would destroy a braced temporary around the co_await twice
    // (docs/decisions/0004-no-braced-temporaries-in-co-await.md).
    Multicast::Reply reply;
    reply.answers = co_await call_all_raw(*this, std::move(request.nodes), request.service,
                                          std::move(request.payload), deadline);
    co_return reply;
  });
}

Rpc::~Rpc() {
  for (const auto& peer : peers_) {
    if (peer == nullptr) continue;
    for (Incoming& incoming : peer->active) incoming.arrival_.rpc = nullptr;
    for (auto& [call, stream] : peer->streams) stream->peer_ = nullptr;
    peer->streams.clear();
    fail_peer(*peer, Error(Errc::shutting_down));
    peer->state = Peer::State::idle;
  }
}

Peer* Rpc::find_peer(NodeId node) const noexcept {
  return node.value < peers_.size() ? peers_[node.value].get() : nullptr;
}

Peer& Rpc::peer(NodeId node) {
  if (node.value >= kNodesMax) {
    // Out of a peer's bytes it may be anything: such a node has no address, so it is unreachable.
    if (nowhere_ == nullptr) nowhere_ = std::make_unique<Peer>(*this, kNoNode);
    return *nowhere_;
  }
  if (node.value >= peers_.size()) peers_.resize(node.value + 1);
  auto& peer = peers_[node.value];
  if (peer == nullptr) {
    peer = std::make_unique<Peer>(*this, node);
    if (peer->self()) peer->identity = options_.self;
  }
  return *peer;
}

void Rpc::set_address(NodeId node, std::string address) {
  KRG_ASSERT(node.value < kNodesMax);
  peer(node).address = std::move(address);
}

void Rpc::disconnect(NodeId node) noexcept {
  if (Peer* peer = find_peer(node); peer != nullptr && peer->endpoint != nullptr) {
    peer->endpoint->close();
  }
}

bool Rpc::connected(NodeId node) const noexcept {
  const Peer* peer = find_peer(node);
  return peer != nullptr && (peer->state == Peer::State::up || peer->self());
}

std::vector<NodeId> Rpc::connected_peers() const {
  std::vector<NodeId> nodes;
  for (const auto& peer : peers_) {
    if (peer != nullptr && peer->state == Peer::State::up) nodes.push_back(peer->node);
  }
  return nodes;
}

void Rpc::connect(Peer& peer) noexcept {
  if (peer.state != Peer::State::idle || peer.self()) return;
  if (peer.address.empty()) {
    fail_peer(peer, Error(Errc::unreachable, "no address").with_peer(peer.node));
    return;
  }
  peer.state = Peer::State::connecting;
  fabric_->connect(peer.node, peer.address, reactor_.after(options_.connect_timeout));
}

// Ends everything that waits for this peer.
void Rpc::fail_peer(Peer& peer, Error why) noexcept {
  ++peer.session;
  while (!peer.calls.empty()) peer.calls.front().finish(why);
  for (Lane& lane : peer.lanes) {
    while (!lane.waiting.empty()) lane.waiting.front().finish(why);
  }
  for (Incoming& incoming : peer.active) incoming.cancelled_ = true;
  for (auto& [call, stream] : peer.streams) stream->on_closed(why);
  peer.receiving.clear();
  peer.receiving_bytes.fill(0);
  peer.reset();
}

void Rpc::on_up(fabric::Endpoint& endpoint) {
  const fabric::Identity identity = endpoint.peer();
  if (identity.node.value >= kNodesMax) {
    KRG_ERROR("node number {} is out of range; closing its connection", identity.node.value);
    endpoint.close();
    return;
  }
  Peer& up = peer(identity.node);
  up.endpoint = &endpoint;
  up.identity = identity;
  up.state = Peer::State::up;
  endpoint.user = &up;
  if (events_.up) events_.up(identity);
  up.drain();
}

void Rpc::on_down(fabric::Endpoint& endpoint, Error why, bool graceful) {
  auto* peer = static_cast<Peer*>(endpoint.user);
  if (peer == nullptr || peer->endpoint != &endpoint) return;
  peer->endpoint = nullptr;
  peer->state = Peer::State::idle;
  const Error error =
      Error(Errc::peer_down, why.what()).with_peer(peer->node).with_native(why.native());
  fail_peer(*peer, error);
  if (events_.down) events_.down(peer->node, error, graceful);
}

void Rpc::on_connect_failed(NodeId node, Error why) {
  Peer* peer = find_peer(node);
  if (peer == nullptr || peer->state != Peer::State::connecting) return;
  peer->state = Peer::State::idle;
  const Errc code = why.code() == Errc::auth_failed ? Errc::auth_failed : Errc::unreachable;
  fail_peer(*peer, Error(code, why.what()).with_peer(node).with_native(why.native()));
}

void Rpc::on_writable(fabric::Endpoint& endpoint) {
  if (auto* peer = static_cast<Peer*>(endpoint.user); peer != nullptr) peer->drain();
}

bool Rpc::poll() noexcept {
  Peer* self = find_peer(options_.self.node);
  if (self == nullptr) return false;
  bool any = false;
  for (Lane& lane : self->lanes) {
    // Only what is there now: what the handlers add has its turn later.
    for (std::size_t left = lane.blocked.size(); left > 0; --left) {
      const Outgoing outgoing = lane.blocked.pop_front();
      any = true;
      if (outgoing.batch != nullptr) {
        constexpr std::size_t kAt = fabric::kHeadroom;
        on_batch(*self,
                 {outgoing.batch->bytes.data() + kAt, sizeof(BatchHeader) + outgoing.batch->used});
        self->give_batch(outgoing.batch);
        continue;
      }
      const wire::Bytes header = wire::Bytes(outgoing.large->header).subspan(fabric::kHeadroom);
      Frame frame{load<FrameHeader>(header.data() + sizeof(BatchHeader)),
                  header.subspan(sizeof(BatchHeader) + sizeof(FrameHeader)),
                  static_cast<std::uint8_t>(&lane - self->lanes.data()),
                  std::move(outgoing.large->data)};
      Buffer body;
      if (frame.has(kDataIsBody)) {
        body = std::move(frame.attachment);
        frame.payload = body.bytes();
      }
      on_batch_header(*self, load<BatchHeader>(header.data()));
      on_frame(*self, frame);
      outgoing.large->on_complete({});
    }
  }
  return any;
}

bool Rpc::flush() noexcept {
  bool any = false;
  while (!dirty_.empty()) any |= dirty_.pop_front().flush();
  return any;
}

bool Rpc::arm() noexcept {
  const Peer* self = find_peer(options_.self.node);
  return dirty_.empty() &&
         (self == nullptr || (self->lanes[0].blocked.empty() && self->lanes[1].blocked.empty()));
}

Status Rpc::notify(NodeId to, ServiceId service, Payload request, Priority priority) {
  Peer& target = peer(to);
  if (target.state != Peer::State::up && !target.self()) {
    if (target.address.empty()) return Error(Errc::unreachable, "no address").with_peer(to);
    connect(target);
  }
  stats_of(service).counters[ServiceStats::kOneWaySent].add();
  const FrameHeader header{0, service.value, static_cast<std::uint8_t>(Kind::one_way), 0, 0};
  return target.append_or_queue(static_cast<std::uint8_t>(priority), header, request, true);
}

// Counts the call, and times it if it is its turn.
void Rpc::sample_begin(CallBase& call) noexcept {
  stats::Counter& called = stats_of(call.service_).counters[ServiceStats::kCalled];
  if (called.value() % ServiceStats::kSampleInterval == 0) call.began_ = reactor::ticks();
  called.add();
}

void Rpc::sample_end(CallBase& call) noexcept {
  if (call.began_ == 0) return;
  const auto ns = static_cast<std::uint64_t>(static_cast<double>(reactor::ticks() - call.began_) /
                                             reactor::ticks_per_ns());
  stats_of(call.service_).record_latency(registry_, ns);
}

void Rpc::count_failure(const CallBase& call) noexcept {
  stats_of(call.service_).counters[ServiceStats::kCalledFailed].add();
}

void Rpc::start(CallBase& call) noexcept {
  Peer& to = peer(call.to_);
  call.peer_ = &to;
  call.id_ = calls_.take(call);
  ++pending_calls_;
  reactor_.add_timer(call, call.deadline_);
  sample_begin(call);
  Lane& lane = to.lanes[call.lane_];
  if (to.state == Peer::State::up || to.self()) {
    if (lane.waiting.empty() && lane.queued.empty() && to.has_credit(lane, call.lane_)) {
      send_call(call);
    } else {
      lane.waiting.push_back(call);
    }
    return;
  }
  lane.waiting.push_back(call);
  connect(to);
}

void Rpc::send_call(CallBase& call) noexcept {
  Peer& to = *call.peer_;
  FrameHeader header{0, call.service_.value, static_cast<std::uint8_t>(Kind::request), call.flags_,
                     call.id_};
  Payload payload = call.payload();
  struct Keyed {
    std::uint64_t key;
    Payload request;
  };
  const Keyed keyed{call.key_, payload};
  if ((call.flags_ & kKeyed) != 0) {
    payload = Payload(
        [](const void* object, wire::Encoder& out) {
          const auto& k = *static_cast<const Keyed*>(object);
          out.put(k.key);
          k.request.encode(out);
        },
        &keyed);
  }
  StreamCore* stream = call.stream();
  if (stream != nullptr) header.flags |= kStream;
  to.calls.push_back(call);
  const Status sent = to.append(call.lane_, header, payload, std::move(call.attach_));
  if (!sent) {
    call.finish(sent.error());
    return;
  }
  ++to.lanes[call.lane_].sent;
  call.sent_ = true;
  if (stream != nullptr) stream->bind(to, call.id_);
}

void Rpc::send_cancel(CallBase& call) noexcept {
  Peer& to = *call.peer_;
  if (to.state != Peer::State::up && !to.self()) return;
  const FrameHeader header{0, call.service_.value, static_cast<std::uint8_t>(Kind::cancel), 0,
                           call.id_};
  const wire::Bytes nothing;
  (void)to.append(call.lane_, header, Payload::raw(nothing));
}

// The call has ended or is destroyed: nothing finds it any more.
void Rpc::forget(CallBase& call) noexcept {
  static_cast<ListNode<CallTag>&>(call).unlink();
  static_cast<ListNode<reactor::TimerTag>&>(call).unlink();
  call.attach_.reset();
  calls_.give_back(std::exchange(call.id_, 0));
  --pending_calls_;
}

}  // namespace krg::rpc
