// Leases: who may serve, and until when.
#include <algorithm>

#include "core_impl.h"
#include "send.h"

namespace krg::hotplug {
namespace {

// Two clocks may run apart by a thousandth; what is left of a lease shrinks by twice that per hop.
Duration shortened(std::int64_t left_ns) noexcept { return Duration(left_ns - left_ns / 500); }

}  // namespace

// Takes over what the coordinator has said last. False: it is older than what is known here.
bool Core::Impl::notice(const Key& key, std::uint64_t round, const std::vector<Peer>& excluded) {
  if (key < key_) return false;
  key_ = key;
  key_round_ = round;
  excluded_ = excluded;
  if (round_ && round_->key < key && round_->id != round) drop_round();
  return true;
}

bool Core::Impl::is_excluded(const Peer& peer) const noexcept {
  return std::find(excluded_.begin(), excluded_.end(), peer) != excluded_.end();
}

void Core::Impl::renew() {
  if (!roster_.has_member(me_)) return;
  if (leads()) {
    // The root. Nobody else can have been elected yet, so whoever excludes this node later waits
    // for a lease from this instant.
    if (now_ < log_.lease_until(now_)) lease_until_ = now_ + shortened(options_.lease.count());
    return;
  }
  if (now_ >= next_ask_) ask_for_lease();
}

void Core::Impl::ask_for_lease() {
  if (asked_stamp_ >= 0) ++unanswered_;
  const NodeId granter = next_granter();
  asked_stamp_ = now_.since_origin.count();
  // Without an answer, others are asked sooner.
  next_ask_ = now_ + (unanswered_ > 0 ? options_.renew / 3 : options_.renew);
  if (granter != kNoNode)
    send_to(Kind::lease_request, granter, LeaseRequest{asked_stamp_, roster_.version});
}

// The parent; then its parent and so on; then whoever chance names: any member with a lease can
// hand it on, and some know a coordinator that this node does not.
NodeId Core::Impl::next_granter() {
  NodeId granter = tree_.parent(me_.node);
  unsigned steps = unanswered_ / 2;
  for (; steps > 0 && granter != kNoNode; --steps) granter = tree_.parent(granter);
  if (granter != kNoNode) return granter;
  const std::vector<NodeId>& all = tree_.order();
  if (all.size() < 2) return kNoNode;
  const NodeId chosen = all[sink_.random() % all.size()];
  return chosen == me_.node ? all[0] == me_.node ? all[1] : all[0] : chosen;
}

void Core::Impl::on_lease_request(const Peer& from, const LeaseRequest& request) {
  if (request.version > roster_.version) return;  // It knows more than we do.
  if (!roster_.has_member(from)) {
    return send(Kind::update, from.node, from.incarnation, update_from(request.version));
  }
  const Duration left = lease_until_ - now_;
  LeaseGrant grant{
      request.stamp, 0, key_, key_round_, roster_.version, excluded_, update_from(request.version)};
  if (left > Duration(0) && !is_excluded(from)) grant.left_ns = left.count();
  send(Kind::lease_grant, from.node, from.incarnation, grant);
}

void Core::Impl::on_lease_grant(const LeaseGrant& grant) {
  take(grant.update);
  if (over_ || roster_.version < grant.version || grant.stamp != asked_stamp_) return;
  if (!notice(grant.key, grant.round, grant.excluded)) return;
  if (grant.left_ns <= 0 || grant.left_ns > options_.lease.count()) return;
  const TimePoint until = TimePoint{Duration(grant.stamp)} + shortened(grant.left_ns);
  if (until <= lease_until_) return;  // As good as no answer: somebody fresher is asked next.
  lease_until_ = until;
  asked_stamp_ = -1;
  unanswered_ = 0;
}

}  // namespace krg::hotplug
