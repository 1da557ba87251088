// Rounds: what is prepared everywhere before it is agreed.
#include <algorithm>

#include "core_impl.h"
#include "send.h"

namespace krg::hotplug {

namespace {

// Commands that a node may have missed when it is to prepare the next.
constexpr std::uint64_t kRecent = 4;

}  // namespace

cluster::NodeSet Core::Impl::leavers(const Command& command) {
  cluster::NodeSet leaving;
  for (const Change& change : command.changes) {
    if (change.kind == ChangeKind::leave) leaving.insert(change.peer.node);
  }
  return leaving;
}

void Core::Impl::on_prepare(const Peer& from, const Prepare& prepare) {
  if (prepare.version != roster_.version || prepare.command.base != roster_.epoch) return;
  if (!roster_.has_member(me_) || prepare.key < key_) return;
  if (round_ && round_->id == prepare.round) {
    round_->parent = from.node;
    round_->told = false;
    forward_round(Duration(prepare.limit_ns));
    return answer_round();
  }
  notice(prepare.key, prepare.round, excluded_);
  drop_round();
  begin_round(prepare, from.node);
}

void Core::Impl::begin_round(const Prepare& prepare, NodeId parent) {
  Round round;
  round.id = prepare.round;
  round.key = prepare.key;
  round.version = prepare.version;
  round.command = prepare.command;
  round.parent = parent;
  for (const NodeId child : tree_.children(me_.node)) round.waiting.insert(child);
  const cluster::NodeSet leaving = leavers(prepare.command);
  round.removes_self = leaving.contains(me_.node);
  round_ = std::move(round);
  forward_round(Duration(prepare.limit_ns));
  const cluster::View before = roster_.view();
  Roster next = roster_;
  hotplug::apply(next, prepare.command);
  sink_.prepare(prepare.round, before, next.view(), leaving, Duration(prepare.limit_ns));
}

void Core::Impl::forward_round(Duration limit) {
  const Prepare prepare{round_->key, round_->id, round_->version, limit.count(), round_->command};
  // Who asks to come or go is in the roster but not yet in a view, so only leases have told of it.
  const std::uint64_t known = std::max<std::uint64_t>(roster_.version, kRecent + 1) - kRecent;
  for (const NodeId child : round_->waiting) {
    push(child, known);
    send_to(Kind::prepare, child, prepare);
  }
}

void Core::Impl::drop_round() {
  if (!round_) return;
  const std::uint64_t id = round_->id;
  round_.reset();
  sink_.abort(id);
}

void Core::Impl::prepared(std::uint64_t round, Status how, TimePoint now) {
  now_ = now;
  if (over_ || !round_ || round_->id != round) return;
  if (how) {
    round_->ready = true;
  } else {
    round_->failed = how.error().code();
  }
  answer_round();
}

void Core::Impl::on_prepared(const Peer& from, const Prepared& prepared) {
  if (!round_ || round_->id != prepared.round) return;
  if (prepared.code == 0) {
    round_->waiting.erase(from.node);
  } else {
    round_->failed = is_errc(prepared.code) ? static_cast<Errc>(prepared.code) : Errc::cancelled;
  }
  answer_round();
}

// Says to the parent how this subtree stands, once that is known; the root acts on it in lead().
void Core::Impl::answer_round() {
  Round& round = *round_;
  const bool done = round.ready && round.waiting.empty();
  if (round.told || (!done && round.failed == Errc::ok) || round.parent == kNoNode) return;
  round.told = true;
  send_to(Kind::prepared, round.parent,
          Prepared{round.id, static_cast<std::uint16_t>(round.failed)});
}

}  // namespace krg::hotplug
