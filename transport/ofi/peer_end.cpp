#include <utility>

#include "fabric_impl.h"
#include "krg/log/log.h"
#include "peer.h"
#include "shm_names.h"

// Beginnings and ends of a peer's life here.
namespace krg::ofi {

Peer::~Peer() {
  // What the rail still holds comes back to the pool without us.
  while (!outstanding_.empty()) outstanding_.pop_front().owner = nullptr;
  while (!queue_.empty()) fabric_.packets().give(queue_.pop_front());
}

void Peer::greeted(Path path) {
  path_ = std::move(path);
  greeted_ = true;
  mark_busy();
}

void Peer::come_up() noexcept {
  state_ = PeerState::up;
  fabric_.sink().on_up(*this);
  for (const Early& early : std::exchange(early_, {})) on_packet(early.header, early.content);
}

void Peer::close() noexcept {
  if (state_ != PeerState::up && state_ != PeerState::proven) {
    close_called_ = true;
    return;
  }
  close_called_ = true;
  state_ = PeerState::closing;
  limit_ = fabric_.after(kCloseLimit);
  mark_busy();
}

// Whether all that this side has accepted is over.
bool Peer::quiet() const noexcept {
  return queued_ == 0 && in_flight_ == 0 && streams_.empty() && outgoing_.empty() &&
         memory_ops_.empty() && direct_ops_ == 0 && told_.empty();
}

// Both sides say goodbye behind their last message; whoever called close() then ends the link, and
// what the other may not have read yet is waited for there: see link_down().
void Peer::say_bye() noexcept {
  const bool late = limit_.passed(fabric_.now());
  if (!bye_sent_ && (quiet() || late)) {
    bye_sent_ = true;
    post_bytes(Kind::bye, {}, {});
  }
  const bool over = bye_sent_ && bye_received_ && queued_ == 0 && in_flight_ == 0;
  if (link_ != nullptr && !link_closed_ && ((close_called_ && over) || late)) {
    link_closed_ = true;
    link_->close();
  }
}

void Peer::link_down(Error why, bool graceful) noexcept {
  link_ = nullptr;
  why_ = why;
  graceful_ = graceful;
  if (state_ == PeerState::proven) {
    state_ = PeerState::down;
    mark_busy();
    return;
  }
  // A goodbye on the link may have overtaken the peer's last messages.
  const bool lingers = graceful && !bye_received_;
  state_ = PeerState::ending;
  limit_ = fabric_.after(lingers ? kLingerLimit : Duration(0));
  mark_busy();
}

// From here on nothing of the peer is heard, and nothing is sent.
void Peer::begin_end() noexcept {
  end_begun_ = true;
  while (!queue_.empty()) fabric_.packets().give(queue_.pop_front());
  queued_ = queued_user_ = 0;
  while (!waiting_direct_.empty()) waiting_direct_.pop_front();
  streams_.clear();
  drop_registrations();
  path_.rail->remove(path_.address, !graceful_);
  if (!graceful_ && rail_kind() == RailKind::shm) remove_leftovers();
  limit_ = fabric_.after(kDrainLimit);
}

void Peer::drop_registrations() noexcept {
  for (auto& [id, large] : outgoing_) large.registrations.clear();
}

// The rail has given every buffer back: everybody is told. True when that is so.
bool Peer::tell_down() noexcept {
  if (direct_ops_ > 0) {
    if (!limit_.passed(fabric_.now())) return false;
    KRG_ERROR("ofi: libfabric still holds {} buffers of peer {}, which is down", direct_ops_,
              identity_.node.value);
  }
  const Error error = Error(Errc::peer_down, why_.what()).with_peer(identity_.node);
  tell_waiting();
  for (auto& [id, large] : std::exchange(outgoing_, {})) large.done->on_complete(error);
  for (auto& [id, message] : incoming_) message->fail(error);
  for (auto& [id, op] : memory_ops_) op->completion->on_complete(error);
  state_ = PeerState::down;
  fabric_.sink().on_down(*this, why_, graceful_);
  if (direct_ops_ == 0) {
    incoming_.clear();
    memory_ops_.clear();
  }
  return true;
}

bool Peer::tell_waiting() noexcept {
  if (told_.empty()) return false;
  for (auto& [done, status] : std::exchange(told_, {})) done->on_complete(status);
  return true;
}

void Peer::tell_later(fabric::Completion& done, Status status) {
  told_.emplace_back(&done, status);
  mark_busy();
}

void Peer::path_failed(const char* what) noexcept {
  if (link_ == nullptr || link_closed_) return;
  KRG_WARN("ofi: the way to peer {} failed: {}", identity_.node.value, what);
  link_->abort(Error(Errc::unreachable, "the data path failed"));
}

bool Peer::work() noexcept {
  if (state_ == PeerState::down) return false;
  if (state_ == PeerState::proven) {
    if (!greeted_) return false;
    come_up();
    return true;
  }
  bool worked = tell_waiting();
  if (state_ == PeerState::ending) {
    if (!end_begun_) {
      if (!bye_received_ && !limit_.passed(fabric_.now())) return worked;
      begin_end();
    }
    return tell_down() || worked;
  }
  worked |= pump();
  worked |= retry_direct();
  if (rail_needs_peer()) path_.bell->ring();
  if (blocked_ && state_ == PeerState::up && has_room()) {
    blocked_ = false;
    fabric_.sink().on_writable(*this);
    worked = true;
  }
  if (state_ == PeerState::closing) say_bye();
  return worked;
}

// shm does much in the peer's polls, of which it tells nobody: the first message of a pair waits
// for a word of the peer's, data that may not be read in one go are copied piece by piece. A peer
// that has gone to sleep meanwhile would never do its part.
bool Peer::rail_needs_peer() const noexcept {
  return path_.bell != nullptr && (queued_ > 0 || !waiting_direct_.empty() || has_in_flight());
}

bool Peer::waits() const noexcept {
  switch (state_) {
    case PeerState::proven:
      return greeted_;
    case PeerState::up:
      return queued_ > 0 || !streams_.empty() || !waiting_direct_.empty() || !told_.empty() ||
             (blocked_ && has_room()) || rail_needs_peer();
    case PeerState::closing:
    case PeerState::ending:
      return true;
    case PeerState::down:
      return false;
  }
  return false;
}

}  // namespace krg::ofi
