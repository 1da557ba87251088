#include "recorder.h"

#include <algorithm>

namespace krg::kddm_sim {

std::size_t Recorder::add_object(unsigned copies, bool touched_at_home) {
  Object& object = objects_.emplace_back();
  object.history.copies = copies;
  object.history.touched_at_home = touched_at_home;
  object.history.copies_move = copies_move_;
  return objects_.size() - 1;
}

LifeId Recorder::begin_life() {
  lives_.emplace_back();
  return static_cast<LifeId>(lives_.size() - 1);
}

void Recorder::end_life(LifeId life) {
  if (lives_[life].ended) return;
  lives_[life].ended = true;
  const Step now = ++step_;
  for (Object& object : objects_) {
    std::erase_if(object.leases, [&](std::size_t index) {
      Op& lease = object.history.ops[index];
      if (lease.life != life) return false;
      lease.ended = now;
      return true;
    });
  }
}

void Recorder::drains(LifeId life) {
  for (const Draining& one : drains_) {
    if (one.left.life == life && !one.stays) return;
  }
  drains_.push_back({.left = {.at = ++step_, .life = life}});
}

void Recorder::stays(LifeId life) {
  for (Draining& one : drains_) {
    if (one.left.life != life || one.stays) continue;
    one.stays = true;
    one.view = views_;
  }
}

void Recorder::fail(const std::vector<LifeId>& lives) {
  failed_lives_ += lives.size();
  Failure failure{.at = ++step_, .until = kNever, .lives = lives, .settled = settled_at_};
  for (std::size_t i = failures_.size() - open_failures_; i < failures_.size(); ++i) {
    for (const LifeId life : failures_[i].lives) {
      if (std::count(failure.lives.begin(), failure.lives.end(), life) == 0) {
        failure.lives.push_back(life);
      }
    }
  }
  failure.may_forget = failure.lives.size() >= std::min<std::size_t>(2, settled_members_);
  may_have_forgotten_ = may_have_forgotten_ || failure.may_forget;
  settled_ = false;
  failures_.push_back(std::move(failure));
  ++open_failures_;
}

unsigned Recorder::view_begins(std::size_t members) {
  members_.push_back({.at = ++step_, .members = members});
  settled_ = false;
  return ++views_;
}

void Recorder::settled() {
  settled_ = true;
  settled_at_ = step_ + 1;
  settled_members_ = members_.empty() ? 0 : members_.back().members;
  ++step_;
  for (; open_failures_ > 0; --open_failures_) {
    failures_[failures_.size() - open_failures_].until = step_;
  }
}

void Recorder::view_entered(unsigned number) {
  const Step now = ++step_;
  entered_ = number;
  if (!members_.empty()) members_.back().entered = now;
  for (Draining& one : drains_) {
    if (one.stays && one.view < number) one.left.until = std::min(one.left.until, now);
  }
  for (Object& object : objects_) {
    std::erase_if(object.unknown, [&](const auto& unknown) {
      if (unknown.second >= number) return false;
      object.history.ops[unknown.first].returned = now;
      return true;
    });
  }
}

void Recorder::nothing_under_way(std::size_t object, LifeId life) {
  // What it had asked for in the view before may still be done by those that are in it.
  if (entered_ != views_) return;
  Object& of = objects_[object];
  const Step now = ++step_;
  std::erase_if(of.unknown, [&](const auto& unknown) {
    Op& op = of.history.ops[unknown.first];
    // What an excluded one has put may be there as long as its node.
    if (op.life != life || op.kind == OpKind::put) return false;
    op.returned = now;
    return true;
  });
}

OpRef Recorder::begin(OpKind kind, std::size_t object, LifeId life, bool touch) {
  auto& ops = objects_[object].history.ops;
  ops.push_back({.kind = kind, .life = life, .touch = touch, .invoked = ++step_});
  ++open_ops_;
  return {object, ops.size() - 1};
}

void Recorder::leased(OpRef ref, Value seen) {
  Op& lease = op(ref);
  lease.outcome = Outcome::ok;
  lease.seen = seen;
  lease.returned = ++step_;
  objects_[ref.object].leases.push_back(ref.op);
}

void Recorder::released(OpRef ref) {
  --open_ops_;
  if (std::erase(objects_[ref.object].leases, ref.op) > 0) op(ref).ended = ++step_;
}

void Recorder::put(OpRef lease, Value wrote) {
  const Op of = op(lease);
  const bool valid = !lives_[of.life].ended;
  auto& ops = objects_[lease.object].history.ops;
  ops.push_back({.kind = OpKind::put,
                 .outcome = valid ? Outcome::ok : Outcome::unknown,
                 .life = of.life,
                 .seen = of.seen,
                 .wrote = wrote,
                 .invoked = ++step_});
  if (valid) {
    ops.back().returned = ++step_;
  } else {
    objects_[lease.object].unknown.emplace_back(ops.size() - 1, views_);
  }
}

void Recorder::end(OpRef ref, Outcome outcome) {
  --open_ops_;
  Op& ended = op(ref);
  ended.outcome = outcome;
  if (outcome == Outcome::unknown) {
    objects_[ref.object].unknown.emplace_back(ref.op, views_);
  } else {
    ended.returned = ++step_;
  }
}

std::size_t Recorder::ops() const {
  std::size_t sum = 0;
  for (const Object& object : objects_) sum += object.history.ops.size();
  return sum;
}

std::vector<History> Recorder::histories() const {
  std::vector<History> all;
  for (const Object& object : objects_) {
    all.push_back(object.history);
    History& history = all.back();
    history.failures = failures_;
    history.members = members_;
    for (const Draining& one : drains_) history.left.push_back(one.left);
    for (Failure& failure : history.failures) failure.may_lose = history.copies == 1;
    // What a life that failed was about to do may come until it is got over, and no later.
    for (Op& op : history.ops) {
      if (op.outcome != Outcome::unknown || op.returned != kNever) continue;
      for (const Failure& failure : failures_) {
        const auto& lives = failure.lives;
        if (std::count(lives.begin(), lives.end(), op.life) == 0) continue;
        op.returned = std::min(op.returned, failure.until);
      }
    }
  }
  return all;
}

}  // namespace krg::kddm_sim
