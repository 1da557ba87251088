#include "krg/rpc/incoming.h"

#include "krg/rpc/rpc.h"
#include "peer.h"

namespace krg::rpc {

Handler::~Handler() = default;

void Handler::spawn(Rpc& rpc, Co<void> execution) { rpc.reactor().spawn(std::move(execution)); }

Incoming::Incoming(Arrival&& arrival, bool tracked) noexcept : arrival_(std::move(arrival)) {
  if (tracked) arrival_.answer_to->active.push_back(*this);
}

Incoming::~Incoming() {
  if (arrival_.rpc == nullptr) return;  // The rpc is gone, and its peers with it.
  if (!answered_) answer(Error(Errc::cancelled, "the handler ended without an answer"));
  arrival_.rpc->execution_done(arrival_);
}

NodeId Incoming::from() const noexcept {
  return arrival_.rpc == nullptr ? kNoNode : arrival_.answer_to->node;
}

fabric::Identity Incoming::caller() const noexcept {
  return arrival_.rpc == nullptr ? fabric::Identity{} : arrival_.answer_to->identity;
}

void Incoming::answer(Payload reply) noexcept {
  if (answered_ || arrival_.rpc == nullptr) return;
  answered_ = true;
  Peer& to = *arrival_.answer_to;
  if (arrival_.one_way || to.session != arrival_.session) return;
  const bool detour = arrival_.answer_to != arrival_.via;
  const FrameHeader header{0, arrival_.service.value, static_cast<std::uint8_t>(Kind::reply),
                           detour ? std::uint8_t{kForwarded} : std::uint8_t{0}, arrival_.call};
  const bool direct = to.state == Peer::State::up || to.self();
  const Status sent = direct ? to.append(arrival_.lane, header, reply, std::move(reply_data_))
                             : to.append_or_queue(arrival_.lane, header, reply, false);
  if (sent) return;
  answered_ = false;
  answer(sent.error());
}

void Incoming::answer(Error error) noexcept {
  if (answered_ || arrival_.rpc == nullptr) return;
  answered_ = true;
  arrival_.rpc->count_refusal(arrival_);
  Peer& to = *arrival_.answer_to;
  if (arrival_.one_way || to.session != arrival_.session) return;
  const FrameHeader header{0, arrival_.service.value, static_cast<std::uint8_t>(Kind::error), 0,
                           arrival_.call};
  const auto code = static_cast<std::uint16_t>(error.code());
  (void)to.append_or_queue(arrival_.lane, header, Payload::of(code), false);
}

void Incoming::forward(NodeId node, ServiceId service, Payload request) noexcept {
  if (answered_ || arrival_.rpc == nullptr) return;
  Peer& target = arrival_.rpc->peer(node);
  Peer& origin = *arrival_.answer_to;
  struct Detour {
    std::uint32_t origin;
    const Payload& request;
  };
  const Detour detour{origin.node.value, request};
  const Payload payload(
      [](const void* object, wire::Encoder& out) {
        const auto& d = *static_cast<const Detour*>(object);
        out.put(d.origin);
        d.request.encode(out);
      },
      &detour);
  const FrameHeader header{0, service.value, static_cast<std::uint8_t>(Kind::request), kForwarded,
                           arrival_.call};
  if (origin.session == arrival_.session) {
    // First the notice, so that the caller watches the right node even if we die right after.
    const FrameHeader notice{0, service.value, static_cast<std::uint8_t>(Kind::forwarded), 0,
                             arrival_.call};
    (void)origin.append_or_queue(arrival_.lane, notice, Payload::of(node.value), false);
  }
  if (target.state != Peer::State::up && !target.self()) arrival_.rpc->connect(target);
  const Status sent = target.append_or_queue(arrival_.lane, header, payload, true);
  if (!sent) {
    answer(sent.error());
    return;
  }
  answered_ = true;
}

}  // namespace krg::rpc
