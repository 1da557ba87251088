#include <cstring>
#include <utility>

#include "krg/testing/peer_player.h"

namespace krg::testing {

// Goes back as soon as it is whole and there is room.
struct PeerPlayer::Reply final : fabric::Completion {
  Bytes front;  // With headroom.
  Bytes data;
  bool is_large = false, whole = true, sent = false, told = false;
  PeerPlayer* player = nullptr;
  Peer* peer = nullptr;

  void on_complete(Status) noexcept override {
    if (!whole) {
      whole = true;
      player->send(*peer);
    } else {
      told = true;
    }
  }
};

struct PeerPlayer::Peer {
  fabric::Endpoint* endpoint;
  std::uint32_t replies = 0;
  std::list<Reply> queue;
};

PeerPlayer::PeerPlayer(PeerRole role, Incarnation incarnation)
    : role_(role), incarnation_(incarnation) {}
PeerPlayer::~PeerPlayer() = default;

Status PeerPlayer::begin(fabric::Fabric& fabric) {
  if (role_ != PeerRole::memory) return {};
  memory_.resize(kPeerMemory);
  KRG_TRY_ASSIGN(region_, fabric.register_memory(memory_));
  return {};
}

PeerPlayer::Peer& PeerPlayer::peer(fabric::Endpoint& endpoint) { return *peers_.at(&endpoint); }

void PeerPlayer::on_up(fabric::Endpoint& endpoint) {
  peers_[&endpoint] = std::make_unique<Peer>(Peer{&endpoint, 0, {}});
  if (role_ != PeerRole::memory) return;
  queue(peer(endpoint), region_->key(), {}, false);
  send(peer(endpoint));
}

void PeerPlayer::queue(Peer& peer, std::span<const std::byte> front, Bytes data, bool is_large) {
  Reply& reply = peer.queue.emplace_back();
  reply.front.resize(fabric::kHeadroom);
  if (role_ == PeerRole::echo) {
    const std::array<std::uint32_t, 2> words{incarnation_.value, peer.replies++};
    const auto bytes = std::as_bytes(std::span(words));
    reply.front.insert(reply.front.end(), bytes.begin(), bytes.end());
  }
  reply.front.insert(reply.front.end(), front.begin(), front.end());
  reply.data = std::move(data);
  reply.is_large = is_large;
  reply.player = this;
  reply.peer = &peer;
  reply.whole = !is_large;
}

void PeerPlayer::send(Peer& peer) {
  while (!peer.queue.empty() && peer.queue.front().told) peer.queue.pop_front();
  for (Reply& reply : peer.queue) {
    if (reply.sent) continue;
    if (!reply.whole || peer.endpoint == nullptr) return;
    if (reply.is_large) {
      const std::array<std::span<const std::byte>, 1> parts{reply.data};
      if (!peer.endpoint->send_large(reply.front, parts, reply)) return;
    } else {
      const auto sent = peer.endpoint->send(reply.front, reply);
      if (!sent) return;
      reply.told = *sent == fabric::Sent::done;
    }
    reply.sent = true;
  }
}

void PeerPlayer::on_message(fabric::Endpoint& from, std::span<const std::byte> content) {
  if (role_ != PeerRole::echo) return;
  queue(peer(from), content, {}, false);
  send(peer(from));
}

void PeerPlayer::on_large(fabric::Endpoint& from, std::span<const std::byte> header,
                          fabric::LargeMessage& message) {
  if (role_ == PeerRole::hang) return;
  if (role_ == PeerRole::memory) return message.discard();
  queue(peer(from), header, Bytes(message.size()), true);
  Reply& reply = peer(from).queue.back();
  message.receive(reply.data, reply);
}

void PeerPlayer::on_writable(fabric::Endpoint& endpoint) { send(peer(endpoint)); }

void PeerPlayer::on_down(fabric::Endpoint& endpoint, Error, bool) {
  const auto found = peers_.find(&endpoint);
  found->second->endpoint = nullptr;
  gone_.push_back(std::move(found->second));  // Its completions may be told until the fabric ends.
  peers_.erase(found);
}

void PeerPlayer::on_connect_failed(NodeId, Error) {}

}  // namespace krg::testing
