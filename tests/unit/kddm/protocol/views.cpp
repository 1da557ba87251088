// Who joins, leaves and dies, and how the others enter the next view.
#include <algorithm>

#include "rules.h"
#include "world.h"

namespace krg::kddm::check {
namespace {

bool has_data(Copy copy) {
  return copy == Copy::spare || copy == Copy::read || copy == Copy::write;
}

}  // namespace

void World::join(unsigned node) {
  say("node " + std::to_string(node) + " joins");
  Node& n = nodes_[node];
  n = Node{};
  n.epoch = epoch_++;
  n.born = epoch_;
  n.tasks[0].left = n.tasks[1].left = static_cast<std::uint8_t>(config_.ops);
  if (config_.tasks == 1) n.tasks[1].left = 0;
  ++joins_;
  make_members();
}

// Whether it has given everything away, and nothing is on its way to it that somebody has dropped.
bool World::may_leave(unsigned node) const {
  if (!nodes_[node].alive || !rebuilt()) return false;
  for (unsigned n = 0; n < config_.nodes; ++n) {
    for (unsigned o = 0; nodes_[n].alive && o < config_.objects; ++o) {
      const Asks asks = nodes_[n].parts[o].holder.asks;
      if (n == node && (asks != Asks::nothing || nodes_[n].parts[o].holder.copy != Copy::none)) {
        return false;
      }
      if (asks == Asks::flush || asks == Asks::sync) return false;
    }
  }
  return true;
}

void World::leave(unsigned node) {
  say("node " + std::to_string(node) + " leaves");
  nodes_[node].alive = false;
  ++epoch_;
  nodes_[node].died = epoch_;
  make_members();
  for (unsigned o = 0; o < config_.objects; ++o) {
    leave_home(node, o);
    for (unsigned from = 0; from < config_.nodes; ++from) channel(from, node, o).clear();
  }
}

void World::kill(unsigned node) {
  say("node " + std::to_string(node) + " dies");
  nodes_[node].alive = false;
  ++kills_;
  ++epoch_;
  nodes_[node].died = epoch_;
  make_members();
  for (unsigned o = 0; o < config_.objects; ++o) {
    kill_object(node, o);
    for (unsigned from = 0; from < config_.nodes; ++from) channel(from, node, o).clear();
  }
}

// What only the dead have seen need not be kept; not even a creation that the home had not been
// told of.
void World::kill_object(unsigned dead, unsigned object) {
  Ghost& ghost = ghosts_[object];
  leave_home(dead, object);
  if (is_absent(object, ghost.high) || ghost.lost != Ghost::Lost::no) return;
  if (ghost.writer[ghost.high] == dead) ghost.low = std::min(ghost.low, ghost.floor);
  while (ghost.founded && is_absent(object, ghost.low)) ++ghost.low;
}

// A home that dies or changes in the middle of a removal may have gone through with it or not.
void World::leave_home(unsigned node, unsigned object) {
  Ghost& ghost = ghosts_[object];
  if (is_absent(object, ghost.high)) return;
  if (nodes_[node].parts[object].home.phase != Phase::remove) return;
  ghost.absent_too = true;
  if (ghost.lost == Ghost::Lost::must) ghost.lost = Ghost::Lost::may;
}

Before World::before(unsigned node, unsigned object, unsigned epoch) const {
  const Node& n = nodes_[node];
  if (epoch < n.born || epoch == 0) return {};
  const Place was = place(node, object, epoch);
  const NodeId home = place(node, object).home;
  return {.follows = epoch + 1u == n.epoch,
          .home = was.home,
          .heirs = {was.heir, was.next[0], was.next[1]},
          .new_home = !was.members->contains(home)};
}

// The last survivor is about to enter the view: what they hold now is all there is.
void World::count_survivors(unsigned object) {
  Ghost& ghost = ghosts_[object];
  if (is_absent(object, ghost.high) || ghost.lost != Ghost::Lost::no) return;
  bool held = false;
  for (unsigned n = 0; n < config_.nodes; ++n) {
    if (!nodes_[n].alive) continue;
    held = held || has_data(nodes_[n].parts[object].holder.copy);
    for (unsigned from = 0; from < config_.nodes; ++from) {
      if (!nodes_[from].alive) continue;
      for (const Parcel& parcel : channel(from, n, object)) {
        held = held || parcel.message.kind == Kind::data;
      }
    }
  }
  if (held) return;
  bool absent = ghost.absent_too;
  for (unsigned value = ghost.low; value <= ghost.high; ++value) {
    absent = absent || is_absent(object, value);
  }
  ghost.lost = absent ? Ghost::Lost::may : Ghost::Lost::must;
  if (config_.copies > config_.failures && !absent && !is_absent(object, ghost.floor)) {
    wrong("an acknowledged write is lost, in spite of its copies");
  }
}

// Whether every member of that view that lives has entered it, or a later one.
bool World::all_in(unsigned epoch) const {
  return std::all_of(nodes_.begin(), nodes_.begin() + config_.nodes, [&](auto& node) {
    return !node.alive || node.born > epoch || node.epoch >= epoch;
  });
}

void World::enter_view(unsigned node, unsigned epoch) {
  Node& n = nodes_[node];
  // The last survivor to leave the views in which the dead are heard: what is there now is all.
  std::uint8_t death = 0;
  for (const Node& one : nodes_) death = std::max(death, one.died);
  const bool all_were = all_in(death);
  const std::uint8_t old = std::exchange(n.epoch, static_cast<std::uint8_t>(epoch));
  const bool last = !all_were && all_in(death);
  n.epoch = old;
  for (unsigned o = 0; o < config_.objects; ++o) {
    leave_home(node, o);
    if (last) count_survivors(o);
  }
  n.epoch = static_cast<std::uint8_t>(epoch);
  say("node " + std::to_string(node) + " enters view " + std::to_string(n.epoch));
  for (unsigned o = 0; o < config_.objects; ++o) {
    Actions actions;
    n.asked[o] = n.parts[o].holder.asks;
    if (config_.mutant == Mutant::none) {
      change_view(place(node, o), before(node, o, old), n.parts[o], actions);
    } else {
      Protocol<Seeded>::change_view(place(node, o), before(node, o, old), n.parts[o], actions);
    }
    perform(node, o, actions, 0);
  }
}

// Messages that will be refused when they come are taken out when they are next; nothing depends on
// when that happens.
void World::drop_stale() {
  for (unsigned from = 0; from < config_.nodes; ++from) {
    for (unsigned to = 0; to < config_.nodes; ++to) {
      for (unsigned o = 0; o < config_.objects; ++o) {
        auto& queue = channel(from, to, o);
        while (!queue.empty() && queue.front().message.epoch.value < nodes_[to].epoch) {
          queue.pop_front();
        }
      }
    }
  }
}

}  // namespace krg::kddm::check
