// What must hold in every state, and what must hold at rest.
#include <algorithm>

#include "world.h"

namespace krg::kddm::check {

void World::check_always() {
  for (unsigned o = 0; o < config_.objects; ++o) {
    Ghost& ghost = ghosts_[o];
    unsigned readers = 0;
    unsigned writers = 0;
    for (unsigned n = 0; n < config_.nodes; ++n) {
      const Node& node = nodes_[n];
      if (!node.alive) continue;
      if (node.parts[o].home.state == HomeState::idle) ghost.founded = true;
      const Holder& holder = node.parts[o].holder;
      if (holder.copy == Copy::write) ++writers;
      if (holder.copy == Copy::read) ++readers;
      if (holder.in_use() && holder.copy != Copy::read && holder.copy != Copy::write) {
        wrong("a lease on what node " + std::to_string(n) + " does not have");
      }
      if (holder.copy != Copy::read && holder.copy != Copy::write) continue;
      const unsigned value = node.values[o];
      if (value < ghost.low || value > ghost.high || ghost.lost == Ghost::Lost::must) {
        wrong("node " + std::to_string(n) + " can read a stale value");
      }
    }
    if (writers > 1) wrong("two writers of object " + std::to_string(o));
    if (writers > 0 && readers > 0) wrong("a reader beside a writer");
  }
}

std::string World::check_rest() const {
  World copy(config_);
  std::vector<std::uint8_t> bytes;
  save(bytes);
  copy.load(bytes.data());
  for (unsigned n = 0; n < config_.nodes; ++n) {
    if (!nodes_[n].alive) continue;
    for (unsigned t = 0; t < config_.tasks; ++t) {
      const Task& task = nodes_[n].tasks[t];
      if (task.state == Task::State::waiting) {
        return "stuck: node " + std::to_string(n) + " waits for its " + kOps[task.op].name;
      }
    }
  }
  for (unsigned o = 0; o < config_.objects; ++o) copy.check_rest_of(o);
  return copy.error_;
}

// The directory is the truth.
void World::check_rest_of(unsigned object) {
  const auto live = std::find_if(nodes_.begin(), nodes_.begin() + config_.nodes,
                                 [](const Node& node) { return node.alive; });
  if (live == nodes_.begin() + config_.nodes) return;
  const Place at = place(static_cast<unsigned>(live - nodes_.begin()), object);
  const Home& home = nodes_[at.home.value].parts[object].home;
  CopySet copies;
  CopySet spares;
  bool exclusive = false;
  for (unsigned n = 0; n < config_.nodes; ++n) {
    const Part& part = nodes_[n].parts[object];
    const NodeId id{n};
    if (!nodes_[n].alive) continue;
    if (part.waiting) wrong("at rest, something waits at node " + std::to_string(n));
    if (part.holder.asks != Asks::nothing) wrong("at rest, a request is under way");
    if (part.holder.contended || part.holder.in_use()) wrong("at rest, a lease is held");
    if (n != at.home.value && part.home.state != HomeState::away) wrong("a second home");
    const bool follows = id == at.heir || id == at.next[0] || id == at.next[1];
    const bool noted = follows && home.state != HomeState::absent;
    if (n != at.home.value && part.home.noted != noted) wrong("the heir is wrong");
    if (part.holder.copy == Copy::filling) wrong("at rest, a first touch is running");
    if (part.holder.copy == Copy::spare) spares.insert(NodeId{n});
    if (part.holder.copy == Copy::read) copies.insert(NodeId{n});
    if (part.holder.copy == Copy::write) copies.insert(NodeId{n}), exclusive = true;
  }
  const std::size_t wanted = std::min<std::size_t>(at.copies, at.members->size());
  switch (home.state) {
    case HomeState::idle:
      if (copies.empty()) wrong("at rest, an object without a copy");
      if (!(home.copies == copies)) wrong("at rest, the copy set is wrong");
      if (!(home.spares == spares)) wrong("at rest, the spares are wrong");
      if (home.exclusive != exclusive) wrong("at rest, the writer is wrong");
      if (!home.copies.contains(home.owner)) wrong("at rest, the owner is wrong");
      if (!exclusive && !spares.empty()) wrong("at rest, spares beside read copies");
      if (!exclusive && copies.size() < wanted) wrong("at rest, too few copies");
      if (exclusive && spares.size() >= wanted) wrong("at rest, too many spares");
      break;
    case HomeState::absent:
    case HomeState::lost:
      if (!copies.empty() || !spares.empty()) wrong("at rest, copies of what does not exist");
      if (home.state == HomeState::lost && ghosts_[object].lost == Ghost::Lost::no) {
        wrong("at rest, lost, but a copy was left");
      }
      break;
    default:
      wrong("at rest, the home is " + std::string(kddm::name_of(home.state)));
  }
}

}  // namespace krg::kddm::check
