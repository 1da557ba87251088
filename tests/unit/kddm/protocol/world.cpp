#include "world.h"

#include <algorithm>

#include "krg/protocol/table.h"
#include "rules.h"

namespace krg::kddm::check {
namespace {

NodeId id(unsigned node) { return NodeId{node}; }

// No two ops of a node have one number.
std::uint32_t op_number(unsigned number, const Task& task) { return task.left * 2u + number + 1; }

}  // namespace

World::World(const Config& config) : config_(config) {
  channels_.resize(config.nodes * config.nodes * config.objects);
  for (unsigned n = 0; n < config.joins; ++n) nodes_[n].alive = false;
  make_members();
  for (unsigned n = 0; n < config.nodes; ++n) {
    for (unsigned t = 0; t < config.tasks; ++t) {
      nodes_[n].tasks[t].left = static_cast<std::uint8_t>(config.ops);
    }
    for (unsigned o = 0; o < config.objects; ++o) nodes_[n].parts[o] = blank_part(place(n, o));
  }
}

// From when each has come and gone. Who has not come yet is neither alive nor born nor dead.
void World::make_members() {
  members_.fill(cluster::NodeSet());
  for (unsigned n = 0; n < config_.nodes; ++n) {
    const Node& node = nodes_[n];
    if (!node.alive && node.died == 0) continue;
    for (unsigned epoch = node.born; epoch < members_.size(); ++epoch) {
      if (node.died == 0 || epoch < node.died) members_[epoch].insert(id(n));
    }
  }
}

// Object o prefers nodes first + o, first + o + 1, ... in turn, as a rendezvous hash would give an
// order.
Place World::place(unsigned node, unsigned object) const {
  return place(node, object, nodes_[node].epoch);
}

Place World::place(unsigned node, unsigned object, unsigned epoch) const {
  Place place;
  place.epoch = Epoch{epoch};
  place.self = id(node);
  place.members = &members_[epoch];
  place.copies = static_cast<std::uint8_t>(config_.copies);
  place.touch_at_home = config_.touch_at_home;
  unsigned found = 0;
  unsigned stay = 0;
  unsigned follow = 0;
  for (unsigned i = 0; i < config_.nodes; ++i) {
    const NodeId next = id((config_.first + object + i) % config_.nodes);
    if (!place.members->contains(next)) continue;
    if (found < 2) (found == 0 ? place.home : place.heir) = next;
    if (!leaves(next.value) && ++stay <= 2 && found >= 2) place.next[follow++] = next;
    ++found;
  }
  return place;
}

void World::moves(std::vector<Move>& out) const {
  using Type = Move::Type;
  out.clear();
  auto add = [&](Type type, unsigned a, unsigned b = 0, unsigned c = 0) {
    out.push_back({type, static_cast<std::uint8_t>(a), static_cast<std::uint8_t>(b),
                   static_cast<std::uint8_t>(c)});
  };
  for (unsigned to = 0; to < config_.nodes; ++to) {
    const Node& node = nodes_[to];
    if (!node.alive) continue;
    for (unsigned from = 0; from < config_.nodes; ++from) {
      for (unsigned o = 0; o < config_.objects; ++o) {
        const auto& queue = channel(from, to, o);
        // What is early waits until the view is ours.
        if (!queue.empty() && queue.front().message.epoch.value <= node.epoch) {
          add(Type::deliver, from, to, o);
        }
        const bool behind = queue.size() > 1 && queue[0].message.kind == Kind::data &&
                            queue[1].message.epoch.value <= node.epoch;
        if (config_.data_late && behind) add(Type::overtake, from, to, o);
      }
    }
    for (unsigned o = 0; o < config_.objects; ++o) {
      if (node.filling[o] == 0) continue;
      add(Type::fill, to, o);
      if (config_.fills_fail) add(Type::unfill, to, o);
    }
    if (node.epoch < epoch_) add(Type::view, to, node.epoch + 1);
    if (node.epoch + 1 < epoch_) add(Type::view, to, epoch_);  // One may hear of the last alone.
    if (node.epoch < node.born) continue;
    for (unsigned t = 0; t < config_.tasks; ++t) {
      const Task& task = node.tasks[t];
      if (task.state == Task::State::reading || task.state == Task::State::writing) {
        add(Type::put, to, t);
      }
      const bool may = config_.total == 0 || issued_ < config_.total;
      if (task.state != Task::State::idle || task.left == 0 || !may) continue;
      for (unsigned op = 0; op < std::size(kOps); ++op) {
        if ((config_.allowed >> op & 1) == 0) continue;
        for (unsigned o = 0; o < config_.objects; ++o) add(Type::issue, to, t, op * kObjects + o);
      }
    }
    if (kills_ < config_.failures && (kills_ == 0 || rebuilt())) add(Type::kill, to);
  }
  for (unsigned n = joins_; n < config_.joins; ++n) add(Type::join, n);
  for (unsigned n = 0; n < config_.nodes; ++n) {
    if (leaves(n) && may_leave(n)) add(Type::leave, n);
  }
}

// Whether nothing of the last failure is left to be done: the next node may die.
bool World::rebuilt() const {
  if (!all_in_view()) return false;
  for (unsigned n = 0; n < config_.nodes; ++n) {
    if (!nodes_[n].alive) continue;
    for (const Part& part : nodes_[n].parts) {
      if (part.home.state == HomeState::rebuilding) return false;
    }
  }
  return true;
}

bool World::at_rest(const std::vector<Move>& moves) const {
  return std::all_of(moves.begin(), moves.end(), [](Move move) {
    return move.type == Move::Type::issue || move.type == Move::Type::kill ||
           move.type == Move::Type::join || move.type == Move::Type::leave;
  });
}

std::string World::apply(Move move) {
  using Type = Move::Type;
  error_.clear();
  narrative.clear();
  Node& node = nodes_[move.a];
  Message in{.epoch = Epoch{node.epoch}};
  switch (move.type) {
    case Type::deliver:
    case Type::overtake: {
      auto& queue = channel(move.a, move.b, move.c);
      const auto at = queue.begin() + (move.type == Type::overtake ? 1 : 0);
      const Parcel parcel = *at;
      queue.erase(at);
      give(move.b, move.c, parcel.message, parcel.value);
      break;
    }
    case Type::issue: {
      const unsigned object = move.c % kObjects;
      const Op& op = kOps[move.c / kObjects];
      Task& task = node.tasks[move.b];
      task.state = Task::State::waiting;
      task.op = move.c / kObjects;
      task.object = static_cast<std::uint8_t>(object);
      task.mark = op.kind == Kind::op_sync ? ghosts_[object].low : 0;
      task.removed = false;
      --task.left;
      ++issued_;
      in.kind = op.kind;
      in.flags = op.flags;
      in.op = op_number(move.b, task);
      give(move.a, object, in, 0);
      break;
    }
    case Type::put: {
      Task& task = node.tasks[move.b];
      in.kind = task.state == Task::State::writing ? Kind::op_put_write : Kind::op_put_read;
      if (in.kind == Kind::op_put_write) {
        node.values[task.object] = new_value(task.object, move.a, false);
      }
      task.state = Task::State::idle;
      give(move.a, task.object, in, 0);
      break;
    }
    case Type::fill:
    case Type::unfill:
      in.kind = move.type == Type::fill ? Kind::op_filled : Kind::op_fill_failed;
      in.epoch = Epoch{node.filling[move.b]};
      node.filling[move.b] = 0;
      if (in.kind == Kind::op_filled) node.values[move.b] = new_value(move.b, move.a, false);
      give(move.a, move.b, in, 0);
      break;
    case Type::kill:
      kill(move.a);
      break;
    case Type::join:
      join(move.a);
      break;
    case Type::leave:
      leave(move.a);
      break;
    case Type::view:
      enter_view(move.a, move.b);
      break;
  }
  if (config_.mutant != Mutant::skipped_epoch_test) drop_stale();
  if (error_.empty()) check_always();
  return error_;
}

void World::cover(const Part& part, Kind kind) {
  unsigned row = static_cast<unsigned>(part.holder.copy);
  if (role_of(kind) == Role::home) row = static_cast<unsigned>(part.home.state);
  if (role_of(kind) == Role::reply) row = static_cast<unsigned>(part.holder.asks);
  (*coverage)[static_cast<unsigned>(kind)] |= 1u << row;
}

void World::give(unsigned node, unsigned object, const Message& in, std::uint8_t value) {
  Actions actions;
  StepResult result;
  const Place at = place(node, object);
  Part& part = nodes_[node].parts[object];
  if (coverage != nullptr) cover(part, in.kind);
  if (config_.mutant == Mutant::none) {
    result = step(at, part, in, actions);
  } else {
    result.outcome = Protocol<Seeded>::step(at, part, in, actions, result.why);
  }
  say(std::string("node ") + std::to_string(node) + " takes " + check::describe(in) +
      (result.outcome == Outcome::deferred ? " (waits)" : ""));
  if (result.outcome == Outcome::impossible) {
    wrong("impossible at node " + std::to_string(node) + ": " + check::describe(in) + ": " +
          result.why);
  }
  perform(node, object, actions, value);
}

void World::perform(unsigned node, unsigned object, const Actions& actions, std::uint8_t value) {
  Node& n = nodes_[node];
  for (const Action& action : actions) {
    switch (action.what) {
      case Action::Do::send: {
        const unsigned to = action.to.value;
        if (to >= config_.nodes) return wrong("a message to nobody");
        say("  sends " + check::describe(action.message) + " to " + std::to_string(to));
        // What the home says of an object is true when it says it.
        if (action.message.kind == Kind::answer) decided(to, object, action.message);
        if (!nodes_[to].alive) break;
        const bool data = action.message.kind == Kind::data;
        channel(node, to, object)
            .push_back({action.message, data ? n.values[object] : std::uint8_t{0}});
        break;
      }
      case Action::Do::install:
        n.values[object] = value;
        break;
      case Action::Do::drop:
        n.values[object] = 0;
        n.filling[object] = 0;
        break;
      case Action::Do::fill:
        n.filling[object] = n.epoch;
        saw_absent(object, "first touch");
        if (kills_ == 0 && !is_wanted(object)) wrong("a first touch for nobody");
        break;
      case Action::Do::lease:
        lease(node, object, action.message);
        break;
      case Action::Do::finish:
        finish(node, object, action.message);
        break;
    }
  }
}

// Whether anybody waits for the object to be there.
bool World::is_wanted(unsigned object) const {
  for (const Node& node : nodes_) {
    for (const Task& task : node.tasks) {
      const bool leases = kOps[task.op].kind == Kind::op_get || kOps[task.op].kind == Kind::op_grab;
      if (task.state == Task::State::waiting && task.object == object && leases) return true;
    }
  }
  return false;
}

// A removal that was broken off by a new view and is asked for again.
bool World::is_being_removed(unsigned object) const {
  return std::any_of(nodes_.begin(), nodes_.begin() + config_.nodes, [&](const Node& node) {
    return std::any_of(node.tasks.begin(), node.tasks.end(), [&](const Task& task) {
      return node.alive && task.state == Task::State::waiting && task.object == object &&
             kOps[task.op].kind == Kind::op_remove;
    });
  });
}

void World::lease(unsigned node, unsigned object, const Message& action) {
  const unsigned number = (action.op - 1) % 2;
  const bool write = action.has(kForWrite);
  Task& task = nodes_[node].tasks[number];
  Ghost& ghost = ghosts_[object];
  const unsigned value = nodes_[node].values[object];
  say("  lease to " + std::string(write ? "write" : "read") + ", value " + std::to_string(value));
  if (task.state != Task::State::waiting || action.op != op_number(number, task)) {
    return wrong("a lease for nobody");
  }
  if (write != (kOps[task.op].kind == Kind::op_grab)) return wrong("a lease of the wrong kind");
  if (ghost.lost == Ghost::Lost::must) return wrong("data of an object whose only copy died");
  if (value < ghost.low || value > ghost.high || is_absent(object, value)) {
    return wrong("stale: value " + std::to_string(value) + ", expected " +
                 std::to_string(ghost.low) + " to " + std::to_string(ghost.high));
  }
  task.state = write ? Task::State::writing : Task::State::reading;
  ghost.low = ghost.high = static_cast<std::uint8_t>(value);
  ghost.lost = Ghost::Lost::no;
  if (rebuilt() && !is_being_removed(object)) ghost.absent_too = false;
  if (ghost.writer[value] != node) ghost.floor = static_cast<std::uint8_t>(value);
}

void World::finish(unsigned node, unsigned object, const Message& action) {
  const unsigned number = (action.op - 1) % 2;
  const Answer status = action.status;
  Task& task = nodes_[node].tasks[number];
  Ghost& ghost = ghosts_[object];
  const Op& op = kOps[task.op];
  say("  " + std::string(op.name) + " ends: " + std::string(kddm::name_of(status)));
  if (task.state != Task::State::waiting || action.op != op_number(number, task)) {
    return wrong("an answer for nobody");
  }
  task.state = Task::State::idle;
  switch (status) {
    case Answer::ok:
      if (op.kind == Kind::op_get || op.kind == Kind::op_grab) wrong("ok without a lease");
      if (op.kind == Kind::op_sync) ghost.floor = std::max(ghost.floor, task.mark);
      return;
    case Answer::busy:
      if ((op.flags & kTry) == 0) wrong("busy without try");
      return;
    case Answer::absent:
    case Answer::lost:
      return;
    case Answer::full:
      if (op.kind != Kind::op_flush) wrong("full, not for a flush");
      return;
    case Answer::failed:
      if (!config_.fills_fail) wrong("a first touch failed that can not");
      return;
  }
}

void World::decided(unsigned asker, unsigned object, const Message& answer) {
  Ghost& ghost = ghosts_[object];
  const Answer status = answer.status;
  const Node& node = nodes_[asker];
  const bool late = answer.epoch.value < node.epoch;
  const Asks asked = late ? node.asked[object] : node.parts[object].holder.asks;
  const bool removal = asked == Asks::remove;
  if (status == Answer::ok && removal) return removal_done(asker, object);
  if (status == Answer::absent) return saw_absent(object, "answer");
  if (status != Answer::lost) return;
  // A home that was at rest knows so before the last survivor has entered the view.
  if (kills_ > 0) count_survivors(object);
  if (ghost.lost == Ghost::Lost::no) wrong("lost, but a copy was left");
  ghost.lost = Ghost::Lost::must;
  ghost.absent_too = false;
}

// A removal takes effect once, however often it was asked for.
void World::removal_done(unsigned asker, unsigned object) {
  for (Task& task : nodes_[asker].tasks) {
    const bool is_it = task.state == Task::State::waiting && task.object == object &&
                       kOps[task.op].kind == Kind::op_remove;
    if (!is_it || config_.tasks > 1 || !nodes_[asker].alive) continue;
    if (std::exchange(task.removed, true)) wrong("one removal was done twice");
  }
  set_absent(object);
}

// Somebody was told that the object does not exist.
void World::saw_absent(unsigned object, const char* where) {
  Ghost& ghost = ghosts_[object];
  bool allowed = ghost.absent_too;
  for (unsigned value = ghost.low; value <= ghost.high; ++value) {
    allowed = allowed || is_absent(object, value);
  }
  if (!allowed || (ghost.lost == Ghost::Lost::must)) {
    return wrong(std::string(where) + ": an object that exists is thought absent");
  }
  if (ghost.low != ghost.high || !is_absent(object, ghost.high)) set_absent(object);
}

void World::set_absent(unsigned object) {
  Ghost& ghost = ghosts_[object];
  new_value(object, kNodes, true);
  ghost.floor = ghost.high;
  ghost.lost = Ghost::Lost::no;
  ghost.absent_too = false;
  ghost.founded = false;
}

std::uint8_t World::new_value(unsigned object, unsigned writer, bool absent) {
  Ghost& ghost = ghosts_[object];
  const std::uint8_t value = ghost.next;
  if (ghost.next + 1u < kValues)
    ++ghost.next;
  else
    wrong("the checker is out of values");
  ghost.low = ghost.high = value;
  ghost.writer[value] = static_cast<std::uint8_t>(writer);
  if (absent) ghost.absent |= 1u << value;
  return value;
}

}  // namespace krg::kddm::check
