#include "network.h"

#include <algorithm>

namespace krg::sim {
namespace {

constexpr unsigned kTailFactor = 100;

// Whether it goes over the link between the nodes, and so can be cut.
bool travels(const Packet& packet) {
  return packet.kind != Kind::expire && packet.kind != Kind::broken && packet.from != packet.to;
}

bool is_datagram(const Packet& packet) {
  return packet.kind == Kind::datagram || packet.kind == Kind::bounced;
}

}  // namespace

Network::Network(const WorldOptions& options)
    : options_(options), random_(options.seed), fabrics_(options.nodes) {}

Network::~Network() = default;

Packet& Network::new_packet() {
  if (free_packets_.empty()) return packet_pool_.emplace_back();
  return free_packets_.pop_front();
}

void Network::recycle(Packet& packet) noexcept {
  packet.unlink();
  packet.content.clear();
  packet.data.clear();
  packet.unread = {};
  packet.source = {};
  packet.op = packet.receiver_op = {};
  packet.status = {};
  packet.from_side = packet.to_side = 0;
  packet.size = 0;
  packet.is_eager = false;
  packet.old = nullptr;
  free_packets_.push_front(packet);
}

OpRef Network::new_op(fabric::Completion& done) {
  Op& op = free_ops_.empty() ? op_pool_.emplace_back() : free_ops_.pop_front();
  op.done = &done;
  return {&op, op.generation};
}

void Network::release(Op& op) noexcept {
  op.unlink();
  ++op.generation;
  op.done = nullptr;
  op.is_large = op.cancelled = false;
  op.part_count = 0;
  free_ops_.push_front(op);
}

Duration Network::travel(std::uint32_t from, std::uint32_t to, std::size_t size) {
  if (from == to) return Duration(0);
  const auto own = latencies_.find(std::uint64_t{from} << 32 | to);
  const Latency& latency = own == latencies_.end() ? options_.latency : own->second;
  Duration time(static_cast<Duration::rep>(
      random_.between(static_cast<std::uint64_t>(latency.min.count()),
                      static_cast<std::uint64_t>(std::max(latency.min, latency.max).count()))));
  if (random_.chance(latency.tail_per_mille)) time *= random_.between(2, kTailFactor);
  return time + latency.per_kib * (size / 1024);
}

void Network::schedule(Packet& packet, TimePoint at) {
  arrivals_.push_back({at, ++sequence_, &packet});
  std::push_heap(arrivals_.begin(), arrivals_.end());
}

void Network::send(Packet& packet) {
  schedule(packet, clock_.now() + travel(packet.from, packet.to, packet.size));
}

void Network::send_in_order(Packet& packet) {
  Side* to = side(packet.to_side);
  if (to == nullptr) {
    refuse_packet(packet);
    return recycle(packet);
  }
  // The queue keeps the order; the token says that its head arrives.
  Packet& token = new_packet();
  token.kind = Kind::token;
  token.from = packet.from;
  token.to = packet.to;
  token.from_side = packet.from_side;
  token.to_side = packet.to_side;
  token.size = packet.content.size() + packet.data.size() + packet.unread.size();
  to->incoming.push_back(packet);
  send(token);
}

void Network::read_lent(Side& to) {
  for (Packet& packet : to.incoming) {
    if (packet.unread.data() == nullptr) continue;
    packet.content.assign(packet.unread.begin(), packet.unread.end());
    packet.unread = {};
  }
}

void Network::send_datagram(std::uint32_t from, std::uint32_t to,
                            std::span<const std::byte> content) {
  if (random_.chance(options_.datagram_loss_per_mille)) return;
  Packet& packet = new_packet();
  packet.kind = Kind::datagram;
  packet.from = from;
  packet.to = to;
  packet.size = content.size();
  packet.content.assign(content.begin(), content.end());
  send(packet);
}

std::optional<TimePoint> Network::next() const noexcept {
  if (arrivals_.empty()) return std::nullopt;
  return arrivals_.front().at;
}

void Network::deliver(std::vector<std::uint32_t>& awake) {
  while (!arrivals_.empty() && arrivals_.front().at <= clock_.now()) {
    std::pop_heap(arrivals_.begin(), arrivals_.end());
    Packet& packet = *arrivals_.back().packet;
    arrivals_.pop_back();
    note(static_cast<std::uint64_t>(clock_.now().since_origin.count()));
    note(static_cast<std::uint64_t>(packet.kind) << 56 | std::uint64_t{packet.from} << 28 |
         packet.to);
    note(packet.size);
    arrive(packet, awake);
  }
}

void Network::arrive(Packet& packet, std::vector<std::uint32_t>& awake) {
  if (travels(packet)) {
    if (const auto cut = cuts_.find(link(packet.from, packet.to)); cut != cuts_.end()) {
      if (is_datagram(packet)) return recycle(packet);
      return cut->second.waiting.push_back(packet);
    }
  }
  switch (packet.kind) {
    case Kind::token:
      arrive_head(packet, awake);
      return recycle(packet);
    case Kind::fetched:
      return arrive_data(packet);
    case Kind::memory:
      return arrive_at_memory(packet);
    case Kind::broken:
      break_link(packet);
      return recycle(packet);
    default:
      return hand_over(packet, awake);
  }
}

void Network::hand_over(Packet& packet, std::vector<std::uint32_t>& awake) {
  SimFabric* to = fabrics_[packet.to];
  if (to != nullptr && to->alive()) {
    to->arrive(packet);
    return awake.push_back(packet.to);
  }
  if (packet.kind != Kind::syn && packet.kind != Kind::datagram) return recycle(packet);
  // Nobody listens there.
  std::swap(packet.from, packet.to);
  if (packet.kind == Kind::datagram) {
    packet.kind = Kind::bounced;
    return send(packet);
  }
  packet.kind = Kind::refuse;
  packet.to_side = packet.from_side;
  packet.status = Error(Errc::unreachable).with_peer(NodeId{packet.from});
  send(packet);
}

// Tells the sender that nobody is there, as a reset of TCP does: one that was accepted after it had
// given up, or whose asker died in between, is found out only so.
void Network::refuse_packet(const Packet& packet) {
  Packet& reset = new_packet();
  reset.kind = Kind::reset;
  reset.from = packet.to;
  reset.to = packet.from;
  reset.to_side = packet.from_side;
  reset.status =
      Error(Errc::peer_down, "the peer has no such connection").with_peer(NodeId{packet.to});
  send(reset);
}

void Network::arrive_head(const Packet& token, std::vector<std::uint32_t>& awake) {
  Side* to = side(token.to_side);
  const SimFabric* fabric = fabrics_[token.to];
  const bool asker_died = to != nullptr && to->state == Side::State::connecting &&
                          (fabric == nullptr || !fabric->alive());
  if (to == nullptr || asker_died) return refuse_packet(token);
  if (to->incoming.empty()) return;
  Packet& packet = to->incoming.pop_front();
  if (packet.unread.data() != nullptr) {
    if (packet.op.get() == nullptr) return recycle(packet);  // The buffer is its owner's again.
    packet.content.assign(packet.unread.begin(), packet.unread.end());
    packet.unread = {};
    Packet& told = new_packet();
    told.kind = Kind::told;
    told.from = packet.to;
    told.to = packet.from;
    told.to_side = packet.from_side;
    told.op = packet.op;
    send(told);
  }
  hand_over(packet, awake);
}

// The data of a large message, straight from the sender's parts into the receiver's place.
void Network::arrive_data(Packet& packet) {
  Op* receiver = packet.receiver_op.get();
  Op* sender = packet.op.get();
  SimFabric* from = fabrics_[packet.from];
  SimFabric* to = fabrics_[packet.to];
  const bool sender_lives = from != nullptr && from->alive() && side(packet.from_side) != nullptr;
  // Of a dead sender, the end of the connection tells; a dead receiver's memory is left alone.
  if (!sender_lives || to == nullptr || !to->alive()) return recycle(packet);
  const bool whole = receiver != nullptr && sender != nullptr && !sender->cancelled;
  if (whole) {
    std::byte* into = receiver->into.data();
    for (std::size_t i = 0; i < sender->part_count; ++i) {
      into = std::ranges::copy(sender->parts[i], into).out;
    }
  }
  if (sender != nullptr) {
    Packet& told = new_packet();
    told.kind = Kind::told;
    told.from = packet.to;
    told.to = packet.from;
    told.to_side = packet.from_side;
    told.op = packet.op;
    send(told);
  }
  packet.kind = Kind::told;
  packet.from = packet.to;
  packet.op = packet.receiver_op;
  if (!whole) packet.status = Errc::cancelled;
  send_now(packet);
}

void Network::arrive_at_memory(Packet& packet) {
  SimFabric* from = fabrics_[packet.from];
  SimFabric* to = fabrics_[packet.to];
  const bool both_live = from != nullptr && from->alive() && to != nullptr && to->alive();
  if (!both_live || packet.op.get() == nullptr) return recycle(packet);
  const auto region = regions_.find(packet.region);
  packet.status = act_on_memory(region == regions_.end() ? nullptr : region->second, packet);
  std::swap(packet.from, packet.to);
  packet.to_side = packet.from_side;
  packet.kind = Kind::told;
  send(packet);
}

void Network::add(SimFabric& fabric) { fabrics_[fabric.node()] = &fabric; }

void Network::remove(SimFabric& fabric) noexcept {
  if (fabrics_[fabric.node()] == &fabric) fabrics_[fabric.node()] = nullptr;
}

void Network::add(Side& side) { sides_.emplace(side.id, &side); }
void Network::remove(Side& side) noexcept { sides_.erase(side.id); }

Side* Network::side(std::uint64_t id) noexcept {
  const auto found = sides_.find(id);
  return found == sides_.end() ? nullptr : found->second;
}

std::uint64_t Network::add(SimRegion& region) {
  regions_.emplace(++last_id_, &region);
  return last_id_;
}

void Network::remove(SimRegion& region) noexcept { regions_.erase(region.id()); }

void Network::kill(std::uint32_t node) {
  SimFabric* dead = fabrics_[node];
  if (dead == nullptr) return;
  dead->cut_off();
  for (std::uint32_t peer = 0; peer < fabrics_.size(); ++peer) {
    Side* mine = dead->side_with(peer);
    Side* other = mine == nullptr ? nullptr : side(mine->other);
    if (other == nullptr) continue;
    // What the dead node's buffers still hold is lost; of the rest, a part.
    std::uint64_t sent = 0;
    for (const Packet& packet : other->incoming) {
      if (packet.unread.data() != nullptr) break;
      ++sent;
    }
    std::uint64_t keep = random_.below(sent + 1);
    PacketList kept;
    while (keep-- > 0) kept.push_back(other->incoming.pop_front());
    while (!other->incoming.empty()) recycle(other->incoming.pop_front());
    other->incoming.take(kept);
    Packet& reset = mine->packet(Kind::reset);
    reset.status = Error(Errc::peer_down).with_peer(NodeId{node});
    schedule(reset, clock_.now() + Duration(static_cast<Duration::rep>(random_.between(
                                       static_cast<std::uint64_t>(options_.detect_min.count()),
                                       static_cast<std::uint64_t>(options_.detect_max.count())))));
  }
}

bool Network::is_cut(std::uint32_t a, std::uint32_t b) const noexcept {
  return cuts_.contains(link(a, b));
}

void Network::cut(std::uint32_t a, std::uint32_t b) {
  const auto [place, is_new] = cuts_.try_emplace(link(a, b));
  if (!is_new) return;
  place->second.number = ++last_id_;
  Packet& broken = new_packet();
  broken.kind = Kind::broken;
  broken.from = a;
  broken.to = b;
  broken.operand = place->second.number;
  schedule(broken, clock_.now() + options_.link_timeout);
}

void Network::mend(std::uint32_t a, std::uint32_t b) {
  const auto cut = cuts_.find(link(a, b));
  if (cut == cuts_.end()) return;
  PacketList waiting;
  waiting.take(cut->second.waiting);
  cuts_.erase(cut);
  while (!waiting.empty()) send(waiting.pop_front());
}

// Ends the connections over the link. Requests to connect stay on their way: a real fabric asks
// again until there is an answer. Whose answer was lost with the link asks for a connection that is
// over.
void Network::break_link(const Packet& packet) {
  const auto cut = cuts_.find(link(packet.from, packet.to));
  if (cut == cuts_.end() || cut->second.number != packet.operand) return;
  PacketList waiting;
  waiting.take(cut->second.waiting);
  const std::array<std::uint32_t, 2> ends{packet.from, packet.to};
  std::array<bool, 2> asks{};
  while (!waiting.empty()) {
    Packet& held = waiting.pop_front();
    if (held.kind != Kind::syn) {
      recycle(held);
      continue;
    }
    const Side* const asker = side(held.from_side);
    asks[held.from == ends[0] ? 0 : 1] |= asker != nullptr;
    cut->second.waiting.push_back(held);
  }
  for (std::size_t i = 0; i < 2; ++i) {
    SimFabric* fabric = fabrics_[ends[i]];
    const Side* side = fabric == nullptr ? nullptr : fabric->side_with(ends[1 - i]);
    if (side == nullptr || (side->state == Side::State::connecting && asks[i])) continue;
    Packet& reset = new_packet();
    reset.kind = Kind::reset;
    reset.from = reset.to = ends[i];
    reset.to_side = side->id;
    reset.status = Error(Errc::unreachable).with_peer(NodeId{ends[1 - i]});
    send_now(reset);
  }
}

void Network::set_latency(std::uint32_t from, std::uint32_t to, const Latency& latency) {
  latencies_[std::uint64_t{from} << 32 | to] = latency;
}

}  // namespace krg::sim
