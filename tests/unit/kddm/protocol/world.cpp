#include "world.h"

#include <algorithm>
#include <type_traits>

namespace krg::kddm_protocol::testing {
namespace {

bool for_home(MessageType type) { return type <= MessageType::settled; }

// Fields as single bytes, both ways: the same visit writes and reads.
class Writer {
 public:
  static constexpr bool kReads = false;
  explicit Writer(std::string& out) : out_(out) {}
  void byte(std::uint8_t& value) { out_.push_back(static_cast<char>(value)); }

 private:
  std::string& out_;
};

class Reader {
 public:
  static constexpr bool kReads = true;
  explicit Reader(std::string_view in) : in_(in) {}
  void byte(std::uint8_t& value) { value = static_cast<std::uint8_t>(in_[at_++]); }

 private:
  std::string_view in_;
  std::size_t at_ = 0;
};

template <class Archive, class T>
void field(Archive& archive, T& value) {
  std::uint8_t byte = 0;
  if constexpr (std::is_same_v<T, NodeBits>) {
    byte = static_cast<std::uint8_t>(value.word());
    archive.byte(byte);
    value = {};
    for (std::uint32_t n = 0; n < kMaxWorldNodes; ++n)
      if ((byte >> n & 1) != 0) value.insert(NodeId{n});
  } else if constexpr (std::is_same_v<T, NodeId>) {
    byte = static_cast<std::uint8_t>(value.value == kNoNode.value ? 0xff : value.value);
    archive.byte(byte);
    value = byte == 0xff ? kNoNode : NodeId{byte};
  } else if constexpr (std::is_same_v<T, Epoch>) {
    byte = static_cast<std::uint8_t>(value.value);
    archive.byte(byte);
    value = Epoch{byte};
  } else {
    byte = static_cast<std::uint8_t>(value);
    archive.byte(byte);
    value = static_cast<T>(byte);
  }
}

template <class Archive, class... T>
void fields(Archive& archive, T&... values) {
  (field(archive, values), ...);
}

// A version as its distance from the newest one; 0 stays 0.
template <class Archive>
void stamp(Archive& archive, std::uint64_t& version, std::uint64_t newest) {
  std::uint64_t distance = version == 0 ? 0 : 1 + newest - version;
  field(archive, distance);
  version = distance == 0 ? 0 : kNewest + 1 - distance;
}

template <class Archive>
void visit_message(Archive& a, Message& m, std::uint64_t newest) {
  fields(a, m.type, m.request, m.copy, m.witness, m.epoch, m.from, m.to, m.requester, m.heir,
         m.set);
  stamp(a, m.version, newest);
}

template <class Archive>
void visit_entry(Archive& a, Entry& e) {
  fields(a, e.state, e.next, e.effect, e.owner, e.requester, e.closer, e.heir, e.ceded, e.turn,
         e.copies, e.awaited, e.witnesses, e.urgent);
  for (NodeBits& some : e.waiting) field(a, some);
}

template <class Archive>
void visit_copy(Archive& a, Copy& c, std::uint64_t newest) {
  fields(a, c.state, c.use, c.pending, c.granted, c.lent, c.witness, c.deferred, c.demand,
         c.demand_from, c.demand_requester, c.demand_set, c.heir, c.giver, c.expected, c.acked);
  stamp(a, c.version, newest);
}

std::string node_text(std::uint32_t node) { return "node " + std::to_string(node); }

}  // namespace

std::string describe(const Action& action) {
  std::string text = "object " + std::to_string(action.object) + ": ";
  switch (action.kind) {
    case Action::Kind::deliver:
      return text + "message " + std::to_string(action.other) + " -> " +
             std::to_string(action.node);
    case Action::Kind::install:
      return node_text(action.node) + " installs the view";
    case Action::Kind::fail:
      return node_text(action.node) + " fails";
    case Action::Kind::operate:
      return text + node_text(action.node) + " " +
             std::string(name_of(static_cast<LocalOp>(action.other)));
  }
  return text;
}

World::World(const Bounds& bounds) : bounds_(bounds), operations_left_(bounds.operations) {
  if (!bounds.populated) return;
  for (std::uint32_t o = 0; o < bounds.objects; ++o) {
    Object& object = objects_[o];
    const NodeId owner{bounds.nodes - 1};
    const NodeId reader{bounds.nodes - 2};
    const Place at = place(o, 0);
    Entry& entry = object.entries[at.home.value];
    entry.state = HomeState::live;
    entry.owner = owner;
    entry.copies = NodeBits::of(owner) | NodeBits::of(reader);
    for (NodeId holder : {owner, reader}) {
      object.copies[holder.value].state = CopyState::shared;
      object.copies[holder.value].version = kNewest;
    }
    for (NodeId knowing : {at.home, at.witness}) object.copies[knowing.value].witness = true;
    object.exists = true;
  }
}

Place World::place(std::uint32_t object, std::uint32_t node) const {
  Place place;
  place.epoch = Epoch{epochs_[node]};
  place.self = NodeId{node};
  for (std::uint32_t i = 0; i < bounds_.nodes; ++i) {
    const std::uint32_t candidate = (object + i) % bounds_.nodes;
    if (epochs_[node] > 1 && candidate == dead_) continue;
    const NodeId id{candidate};
    if (place.home == kNoNode) {
      place.home = id;
    } else if (place.witness == kNoNode) {
      place.witness = id;
    }
    place.members.insert(id);
  }
  return place;
}

std::vector<Action> World::actions(bool& progress) const {
  std::vector<Action> all;
  const auto u8 = [](std::uint32_t value) { return static_cast<std::uint8_t>(value); };
  for (std::uint32_t o = 0; o < bounds_.objects; ++o) {
    const Object& object = objects_[o];
    for (std::uint32_t from = 0; from < bounds_.nodes; ++from)
      for (std::uint32_t to = 0; to < bounds_.nodes; ++to) {
        const auto& queue = object.queues[from][to];
        if (queue.empty() || queue.front().epoch.value > epochs_[to]) continue;
        all.push_back({Action::Kind::deliver, u8(o), u8(to), u8(from)});
      }
    for (std::uint32_t n = 0; n < bounds_.nodes; ++n)
      if (alive(n) && object.copies[n].use != Use::idle)
        all.push_back({Action::Kind::operate, u8(o), u8(n), u8(std::uint32_t(LocalOp::put))});
  }
  for (std::uint32_t n = 0; n < bounds_.nodes; ++n)
    if (dead_ < bounds_.nodes && alive(n) && epochs_[n] == 1)
      all.push_back({Action::Kind::install, 0, u8(n), 0});
  progress = !all.empty();
  if (dead_ == kMaxWorldNodes && bounds_.failures > 0)
    for (std::uint32_t n = 0; n < bounds_.nodes; ++n)
      all.push_back({Action::Kind::fail, 0, u8(n), 0});
  if (operations_left_ == 0) return all;
  for (std::uint32_t o = 0; o < bounds_.objects; ++o)
    for (std::uint32_t n = 0; n < bounds_.nodes; ++n) {
      const Copy& copy = objects_[o].copies[n];
      if (!alive(n) || copy.use != Use::idle || copy.pending != Request::none) continue;
      for (LocalOp op : {LocalOp::get, LocalOp::grab, LocalOp::remove, LocalOp::flush})
        all.push_back({Action::Kind::operate, u8(o), u8(n), u8(std::uint32_t(op))});
    }
  return all;
}

std::string World::apply(const Action& action, const Mutant* mutant) {
  std::string wrong;
  switch (action.kind) {
    case Action::Kind::deliver:
      wrong = deliver(action, mutant);
      break;
    case Action::Kind::operate:
      wrong = operate(action, mutant);
      break;
    case Action::Kind::install:
      install(action.node, mutant);
      break;
    case Action::Kind::fail:
      fail(action.node);
      break;
  }
  for (std::uint32_t o = 0; wrong.empty() && o < bounds_.objects; ++o)
    wrong = check_object(objects_[o]);
  return wrong;
}

void World::send(Object& object, const Outbox& out) {
  for (const Message& m : out)
    if (alive(m.to.value)) object.queues[m.from.value][m.to.value].push_back(m);
}

// The home's answers to removes are where an object stops to exist for who asks next.
void World::note_sent(Object& object, const Outbox& out, std::string& wrong) {
  for (const Message& m : out) {
    if (m.to.value >= bounds_.nodes) continue;
    if (object.copies[m.to.value].pending != Request::remove) continue;
    if (m.type == MessageType::grant) object.removing.insert(m.to);
    if (m.type != MessageType::nothing || !object.exists) continue;
    // A remove cut short by the view change took effect, be it this one or one beside it.
    if (object.removing.empty() && !object.may_vanish)
      wrong = "the home knows nothing of an object that exists";
    object.exists = false;
  }
}

std::string World::deliver(const Action& action, const Mutant* mutant) {
  Object& object = objects_[action.object];
  auto& queue = object.queues[action.other][action.node];
  Message m = queue.front();
  queue.erase(queue.begin());
  const Place at = place(action.object, action.node);
  Entry& entry = object.entries[action.node];
  Copy& copy = object.copies[action.node];
  const Entry entry_before = entry;
  const Copy copy_before = copy;
  if (mutant != nullptr && mutant->message) mutant->message(m, at);
  Outbox out;
  const Step step = for_home(m.type) ? home_step(entry, at, m, out) : node_step(copy, at, m, out);
  if (step.verdict == Verdict::refused)
    return step.error.message() + " (" + std::string(name_of(m.type)) + ")";
  if (step.verdict != Verdict::taken) return {};  // A stale one is gone.
  if (mutant != nullptr && mutant->effect)
    mutant->effect({m, at, entry_before, copy_before, entry, copy, out});
  const bool revokes = m.type == MessageType::invalidate || m.type == MessageType::remove;
  object.revoked |= copy_before.usable() && revokes;
  if (m.type == MessageType::done && dead_ == kMaxWorldNodes) object.revoked = false;
  std::string wrong;
  note_sent(object, out, wrong);
  send(object, out);
  if (step.finished == Request::remove && m.type != MessageType::nothing) object.exists = false;
  if (wrong.empty() && !for_home(m.type)) wrong = finished(object, action.node, step);
  return wrong;
}

std::string World::operate(const Action& action, const Mutant* mutant) {
  Object& object = objects_[action.object];
  Copy& copy = object.copies[action.node];
  const auto op = static_cast<LocalOp>(action.other);
  if (op != LocalOp::put) --operations_left_;
  if (op == LocalOp::put && copy.use == Use::writing) copy.version = ++object.newest;
  const Place at = place(action.object, action.node);
  const Entry entry_before = object.entries[action.node];
  const Copy copy_before = copy;
  Outbox out;
  const Step step = node_op(copy, at, op, out);
  if (step.verdict != Verdict::taken) return "a local operation was refused";
  if (mutant != nullptr && mutant->effect)
    mutant->effect(
        {Message{}, at, entry_before, copy_before, object.entries[action.node], copy, out});
  send(object, out);
  return finished(object, action.node, step);
}

void World::install(std::uint32_t node, const Mutant* mutant) {
  epochs_[node] = 2;
  for (std::uint32_t o = 0; o < bounds_.objects; ++o) {
    const Place at = place(o, node);
    Object& object = objects_[o];
    Outbox out;
    home_view(object.entries[node], at);
    node_view(object.copies[node], at, out);
    if (mutant != nullptr && mutant->view)
      mutant->view(object.entries[node], object.copies[node], out);
    send(object, out);
  }
}

// The node is gone with all it held; of what it sent, any part may still arrive until the view
// changes, and nothing after.
void World::fail(std::uint32_t node) {
  dead_ = node;
  for (std::uint32_t o = 0; o < bounds_.objects; ++o) {
    Object& object = objects_[o];
    const NodeId id{node};
    const Copy& gone = object.copies[node];
    const Entry& entry = object.entries[place(o, node).home.value];
    bool survives = false;
    for (std::uint32_t n = 0; n < bounds_.nodes; ++n) {
      const Copy& copy = object.copies[n];
      if (n == node) continue;
      survives |= copy.usable();
      const auto& heard = object.queues[node][n];
      const bool released = std::any_of(heard.begin(), heard.end(), [](const Message& m) {
        return m.type == MessageType::taken;
      });
      survives |= copy.state == CopyState::ceded && (copy.heir != id || copy.lent) && !released;
    }
    const bool given = entry.state == HomeState::busy && entry.requester == id &&
                       (entry.effect == Effect::own || entry.effect == Effect::vanish);
    const bool asks = gone.pending == Request::grab || gone.pending == Request::remove;
    object.may_lose |= !survives || asks || given;
    object.owner_died = entry.owner == id;
    object.may_vanish |= gone.pending == Request::remove || object.creating.contains(id);
    object.copies[node] = Copy{};
    object.entries[node] = Entry{};
    for (auto& from : object.queues) from[node].clear();
  }
}

std::string World::finished(Object& object, std::uint32_t node, const Step& step) {
  Copy& copy = object.copies[node];
  if (step.lost && !object.may_be_lost()) return "lost, though a copy survived";
  if (step.created) {
    if (object.exists && !object.may_vanish) return "an object that exists was created anew";
    object.exists = true;
    object.creating.insert(NodeId{node});
    copy.version = ++object.newest;
  }
  if (step.finished != Request::none) object.creating.erase(NodeId{node});
  if (step.finished == Request::remove) object.removing.erase(NodeId{node});
  if (step.lost) return {};
  if (step.finished == Request::get || step.finished == Request::grab)
    if (copy.version != object.newest) return "a stale read";
  return {};
}

std::string World::check_object(const Object& object) const {
  std::uint32_t usable = 0, exclusive = 0, readers = 0, writers = 0;
  for (std::uint32_t n = 0; n < bounds_.nodes; ++n) {
    const Copy& copy = object.copies[n];
    if (!alive(n)) continue;
    usable += copy.usable();
    exclusive += copy.state == CopyState::exclusive;
    readers += copy.use == Use::reading;
    writers += copy.use == Use::writing;
    if (copy.use != Use::idle && !copy.usable()) return "a copy in use was taken away";
    if (copy.use != Use::idle && copy.version != object.newest) return "a user of old bytes";
    if (copy.usable() && copy.version != object.newest) return "a stale copy";
  }
  if (writers > 1) return "two writers";
  if (writers == 1 && readers > 0) return "a reader beside a writer";
  if (exclusive > 0 && usable > 1) return "a copy beside an exclusive one";
  return {};
}

std::string World::check_rest() const {
  std::string wrong;
  for (std::uint32_t o = 0; wrong.empty() && o < bounds_.objects; ++o)
    wrong = check_rest(objects_[o], o);
  return wrong;
}

std::string World::check_rest(const Object& object, std::uint32_t index) const {
  std::uint32_t any = 0;
  while (!alive(any)) ++any;
  const Place at = place(index, any);
  const Entry& entry = object.entries[at.home.value];
  NodeBits holders, knowing;
  for (std::uint32_t n = 0; n < bounds_.nodes; ++n) {
    if (!alive(n)) continue;
    const Copy& copy = object.copies[n];
    for (const auto& from : object.queues)
      if (!from[n].empty()) return "a message that never arrives";
    if (copy.pending != Request::none)
      return "stuck: " + node_text(n) + " waits for " + std::string(name_of(copy.pending));
    if (copy.state == CopyState::ceded) return "a ceded copy is never released";
    if (copy.deferred) return "a demand is deferred without a user";
    if (copy.usable()) holders.insert(NodeId{n});
    if (copy.witness) knowing.insert(NodeId{n});
  }
  if (entry.copies != holders) return "the directory names other holders than there are";
  switch (entry.state) {
    case HomeState::absent:
      if (object.exists && !object.may_vanish) return "an object that exists is absent";
      return knowing.empty() ? "" : "a witness of an object that is absent";
    case HomeState::live:
      if (!object.exists && !object.may_lose) return "an object that was removed is live";
      if (!holders.contains(entry.owner)) return "the owner holds nothing";
      break;
    case HomeState::lost:
      if (!object.may_be_lost()) return "lost, though a copy survived";
      break;
    default:
      return "stuck: the home is " + std::string(name_of(entry.state));
  }
  return knowing == (at.witnesses() & at.members) ? "" : "the wrong nodes are witnesses";
}

template <class Archive>
void World::visit(Archive& a) {
  fields(a, dead_, operations_left_);
  for (std::uint32_t n = 0; n < bounds_.nodes; ++n) field(a, epochs_[n]);
  for (std::uint32_t o = 0; o < bounds_.objects; ++o) {
    Object& object = objects_[o];
    fields(a, object.exists, object.may_lose, object.may_vanish, object.owner_died, object.revoked,
           object.removing, object.creating);
    for (std::uint32_t n = 0; n < bounds_.nodes; ++n) {
      visit_entry(a, object.entries[n]);
      visit_copy(a, object.copies[n], object.newest);
      for (std::uint32_t to = 0; to < bounds_.nodes; ++to) {
        auto& queue = object.queues[n][to];
        auto count = static_cast<std::uint8_t>(queue.size());
        field(a, count);
        if (Archive::kReads) queue.resize(count);
        for (Message& m : queue) visit_message(a, m, object.newest);
      }
    }
    object.newest = kNewest;
  }
}

std::string World::encode() {
  std::string bytes;
  Writer writer(bytes);
  visit(writer);
  return bytes;
}

void World::decode(std::string_view bytes) {
  Reader reader(bytes);
  visit(reader);
}

}  // namespace krg::kddm_protocol::testing
