#include <algorithm>
#include <charconv>
#include <cstring>

#include "network.h"
#include "sim_fabric.h"

namespace krg::sim {
namespace {

constexpr std::string_view kScheme = "sim:";

// The node of "sim:<node>".
std::optional<std::uint32_t> parse_address(std::string_view address, std::uint32_t nodes) {
  if (!address.starts_with(kScheme)) return std::nullopt;
  address.remove_prefix(kScheme.size());
  std::uint32_t node = 0;
  const auto [end, error] = std::from_chars(address.data(), address.data() + address.size(), node);
  if (error != std::errc() || end != address.data() + address.size()) return std::nullopt;
  return node < nodes ? std::optional(node) : std::nullopt;
}

}  // namespace

SimFabric::SimFabric(Network& network, reactor::Reactor& reactor, fabric::EventSink& sink,
                     const fabric::Options& options)
    : network_(network), reactor_(reactor), sink_(sink), options_(options) {
  network_.add(*this);
  reactor_.add_poller(*this);
}

SimFabric::~SimFabric() {
  reactor_.remove_poller(*this);
  for (auto& [node, side] : sides_) {
    if (side->state == Side::State::connecting) continue;
    if (alive_) {
      if (Side* other = network_.side(side->other)) network_.read_lent(*other);
      Packet& reset = side->packet(Kind::reset);
      reset.status =
          Error(Errc::peer_down, "the peer's fabric was closed").with_peer(options_.self.node);
      network_.send_in_order(reset);
    }
    side->end_operations(Error(Errc::shutting_down));
  }
  sides_.clear();
  drop_arrived();
  network_.remove(*this);
}

void SimFabric::cut_off() {
  alive_ = false;
  drop_arrived();
}

// Who had asked to be connected and has no answer yet is turned away, as by a port that was closed.
void SimFabric::drop_arrived() {
  waiting_.take(inbox_);
  while (!waiting_.empty()) {
    Packet& packet = waiting_.pop_front();
    if (packet.kind == Kind::syn) refuse(packet, Error(Errc::unreachable));
    network_.recycle(packet);
  }
}

std::string SimFabric::address() const { return std::string(kScheme) + std::to_string(node()); }

Result<std::unique_ptr<fabric::Region>> SimFabric::register_memory(std::span<std::byte> memory) {
  return std::unique_ptr<fabric::Region>(
      std::make_unique<SimRegion>(network_, memory, node(), options_.self.incarnation.value));
}

Side* SimFabric::side_with(std::uint32_t node) noexcept {
  const auto found = sides_.find(node);
  return found == sides_.end() ? nullptr : found->second.get();
}

Side& SimFabric::add_side(fabric::Identity peer) {
  auto side = std::make_unique<Side>(*this, network_.next_side_id(), peer);
  return *(sides_[peer.node.value] = std::move(side));
}

void SimFabric::connect(NodeId to, const std::string& address, Deadline deadline) {
  if (!alive_ || side_with(to.value) != nullptr) return;
  Side& side = add_side({to, Incarnation{0}});
  const auto at = parse_address(address, network_.options().nodes);
  Packet& syn = side.packet(at ? Kind::syn : Kind::refuse);
  if (at) {
    syn.to = *at;
    network_.send(syn);
  } else {
    syn.to = node();
    syn.to_side = side.id;
    syn.status = Error(Errc::invalid_argument, "not an address of a simulated node");
    network_.send_now(syn);
  }
  if (deadline.is_never()) return;
  Packet& expire = side.packet(Kind::expire);
  expire.to = node();
  expire.to_side = side.id;
  network_.schedule(expire, std::max(deadline.at(), reactor_.now()));
}

void SimFabric::refuse(const Packet& syn, Error why) {
  Packet& refusal = network_.new_packet();
  refusal.kind = Kind::refuse;
  refusal.from = node();
  refusal.to = syn.from;
  refusal.to_side = syn.from_side;
  refusal.status = why.with_peer(options_.self.node);
  network_.send(refusal);
}

void SimFabric::accept(const Packet& syn, const fabric::Identity& peer) {
  Side* mine = side_with(peer.node.value);
  Side& side = mine != nullptr ? *mine : add_side(peer);
  // What an earlier answer to our own question had sent, before its link broke, is of no
  // connection.
  while (!side.incoming.empty()) network_.recycle(side.incoming.pop_front());
  side.on_accept(syn.from_side, peer.incarnation);
  Packet& accepted = side.packet(Kind::accept);
  accepted.operand = options_.self.incarnation.value;
  network_.send_in_order(accepted);
  sink_.on_up(side);
}

bool SimFabric::answer(const Packet& syn) {
  const Side* asker = network_.side(syn.from_side);
  const SimFabric* from = network_.fabric(syn.from);
  // It may have given up, or be connected by our own request meanwhile.
  if (asker == nullptr || asker->state != Side::State::connecting) return true;
  const fabric::Identity peer = from->options().self;
  if (from->options().key != options_.key || asker->peer().node != options_.self.node) {
    refuse(syn, Error(Errc::auth_failed));
    return true;
  }
  Side* mine = side_with(peer.node.value);
  if (mine != nullptr && mine->state == Side::State::connecting) {
    // Both ask at once: the lower node's question counts, unless it comes to nothing.
    if (options_.self.node < peer.node) return false;
  } else if (mine != nullptr) {
    if (peer.incarnation == mine->peer().incarnation) return false;
    if (peer.incarnation < mine->peer().incarnation) {
      refuse(syn, Error(Errc::stale));
      return true;
    }
    take_down(*mine, Error(Errc::peer_down, "the peer has a new life").with_peer(peer.node), false);
  }
  accept(syn, peer);
  return true;
}

void SimFabric::connect_failed(Side& side, Error why) {
  const NodeId node = side.peer().node;
  sides_.erase(node.value);
  touch();
  sink_.on_connect_failed(node, why);
}

void SimFabric::take_down(Side& side, Error why, bool graceful) {
  const auto node = sides_.extract(side.peer().node.value);
  side.state = Side::State::down;
  network_.remove(side);
  side.end_operations(why);
  touch();
  sink_.on_down(side, why, graceful);
}

void SimFabric::handle(Packet& packet) {
  if (packet.kind == Kind::datagram || packet.kind == Kind::bounced) {
    take_datagram(packet);
  } else if (packet.kind == Kind::syn) {
    if (!answer(packet)) {
      waiting_.push_back(packet);
      return;
    }
  } else if (Side* side = network_.side(packet.to_side); side != nullptr) {
    switch (packet.kind) {
      case Kind::accept:
        side->on_accept(packet.from_side, Incarnation{static_cast<std::uint32_t>(packet.operand)});
        touch();
        sink_.on_up(*side);
        break;
      case Kind::message:
        side->on_message(packet);
        break;
      case Kind::large:
        side->on_large(packet);
        break;
      case Kind::fin:
        side->on_fin();
        break;
      case Kind::reset:
        if (side->state == Side::State::connecting) {
          connect_failed(*side, packet.status.error());
        } else {
          take_down(*side, packet.status.error(), false);
        }
        break;
      case Kind::refuse:
      case Kind::expire:
        if (side->state == Side::State::connecting) {
          connect_failed(
              *side, packet.kind == Kind::expire ? Error(Errc::timed_out) : packet.status.error());
        }
        break;
      case Kind::credit:
        side->on_credit(packet.size);
        break;
      case Kind::told:
        if (Op* op = packet.op.get()) side->on_told(*op, packet.status);
        break;
      default:
        KRG_ASSERT(false);
    }
  } else if (packet.kind == Kind::accept) {
    network_.refuse_packet(packet);  // The question was given up while the answer waited here.
  }
  network_.recycle(packet);
}

void SimFabric::take_datagram(const Packet& packet) {
  if (datagrams_ == nullptr) return;
  if (packet.kind == Kind::datagram) return datagrams_->on_datagram(packet.content);
  // It is about a port, and a new life has another.
  const SimFabric* const there = network_.fabric(packet.from);
  if (there == nullptr || !there->alive()) datagrams_->on_refused(NodeId{packet.from});
}

bool SimFabric::settle() {
  if (!std::exchange(touched_, false)) return false;
  std::vector<Side*> finished;
  for (auto& [node, side] : sides_) {
    if (side->finished()) finished.push_back(side.get());
  }
  for (Side* side : finished) {
    take_down(*side, Error(Errc::peer_down, "closed").with_peer(side->peer().node), true);
  }
  PacketList again;
  again.take(waiting_);
  while (!again.empty()) handle(again.pop_front());
  return true;
}

bool SimFabric::poll() noexcept {
  if (!alive_) return false;
  bool worked = !inbox_.empty();
  PacketList now;
  now.take(inbox_);
  while (!now.empty()) handle(now.pop_front());
  worked |= settle();
  return worked;
}

}  // namespace krg::sim
