// Requests to join and to leave: pressed until they are seen to be done.
#include <algorithm>

#include "core_impl.h"
#include "send.h"

namespace krg::hotplug {

using cluster::NodeState;

void Core::Impl::leave(const Peer& peer, TimePoint now) {
  now_ = now;
  const Record* const record = roster_.find(peer.node);
  const bool known = record != nullptr && record->peer() == peer;
  leaving_.push_back({peer, known ? record->cancelled_leaves : 0});
  press_requests();
  wake();
}

void Core::Impl::press_requests() {
  if (now_ < next_press_ || over_) return;
  next_press_ = now_ + options_.renew;
  if (!contacts_.empty()) {
    // Any member hands the request on to the coordinator.
    const cluster::Member& contact = contacts_[sink_.random() % contacts_.size()];
    send(Kind::join, contact.node, Incarnation{0}, JoinRequest{self_, false});
  }
  for (const Peer& peer : ended_) {
    const Report report{peer, detector::Evidence::ended};
    if (!leads() && roster_.coordinator != kNoNode && roster_.coordinator != peer.node) {
      send_to(Kind::report, roster_.coordinator, report);
    }
  }
  for (std::size_t i = 0; i < leaving_.size();) {
    const Leaving leaving = leaving_[i];
    const Record* const record = roster_.find(leaving.peer.node);
    const bool member = roster_.has_member(leaving.peer);
    if (!member || record->cancelled_leaves > leaving.cancelled_leaves) {
      leaving_.erase(leaving_.begin() + static_cast<std::ptrdiff_t>(i));
      sink_.leave_ended(leaving.peer, member ? Errc::cancelled : Errc::ok);
      continue;
    }
    const LeaveRequest request{leaving.peer, leaving.cancelled_leaves};
    if (record->member.state == NodeState::online) {
      if (leads()) {
        on_leave(request);
      } else if (roster_.coordinator != kNoNode) {
        send_to(Kind::leave, roster_.coordinator, request);
      }
    }
    ++i;
  }
}

void Core::Impl::on_leave(const LeaveRequest& request) {
  if (!leads()) return;
  const Record* const record = roster_.find(request.peer.node);
  if (record == nullptr || record->peer() != request.peer) return;
  if (record->cancelled_leaves == request.cancelled_leaves) {
    leave_wanted_[request.peer] = request.cancelled_leaves;
  }
}

void Core::Impl::on_join(const JoinRequest& request) {
  const cluster::Member& member = request.member;
  if (member.node.value >= cluster::kNodesMax || member.node == me_.node) return;
  if (leads()) return take_join(member);
  if (request.relayed || roster_.coordinator == kNoNode || roster_.coordinator == me_.node) return;
  send_to(Kind::join, roster_.coordinator, JoinRequest{member, true});
}

// The coordinator's answer to one that knocks.
void Core::Impl::take_join(const cluster::Member& member) {
  const Peer peer{member.node, member.incarnation};
  const Record* const record = roster_.find(member.node);
  sink_.reach(member);
  const auto refuse = [&](Errc code) {
    send(Kind::join_refused, peer.node, peer.incarnation,
         JoinRefused{static_cast<std::uint16_t>(code)});
  };
  if (record != nullptr && record->peer() == peer) {
    if (record->is_member()) return push(peer.node, 0);
    if (record->member.state != NodeState::present && record->member.state != NodeState::possible) {
      return refuse(Errc::cancelled);
    }
  }
  if (record != nullptr && record->member.incarnation > peer.incarnation)
    return refuse(Errc::stale);
  if (record != nullptr && record->is_member() && record->peer() != peer) {
    // A later life has come before the earlier one was missed. Its machine says so, not we: the
    // earlier one's lease must end first.
    Exclusion& old = exclusions_[record->peer()];
    if (!old.replaced && !old.proven) {
      if (old.since == TimePoint{}) old.since = now_;
      old.replaced = true;
      publish();
    }
  }
  knocking_[peer] = {member, now_};
}

}  // namespace krg::hotplug
