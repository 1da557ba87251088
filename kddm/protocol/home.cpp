#include "krg/kddm_protocol/home.h"

#include <bit>

#include "names.h"
#include "pair_text.h"

namespace krg::kddm_protocol {
namespace {

constexpr auto kRefusals = pair_texts(kHomeNames, kMessageNames);

Step refuse(const Entry& entry, const Message& m) {
  const auto type = static_cast<std::size_t>(m.type);
  if (type >= kMessageTypes) return impossible("the home cannot take an unknown message", m.from);
  return impossible(kRefusals[static_cast<std::size_t>(entry.state)][type].data(), m.from);
}

// One step: the entry, and the messages it makes.
class Home {
 public:
  Home(Entry& entry, const Place& place, Outbox& out) : e_(entry), place_(place), out_(out) {}

  void queue(NodeId node, Request request) {
    if (request != Request::none) waiting(request).insert(node);
    serve();
  }
  void done();
  void report(const Message& m);
  void settled(NodeId node);

 private:
  NodeBits& waiting(Request request) { return e_.waiting[static_cast<std::size_t>(request) - 1]; }
  bool resting() const {
    return e_.state == HomeState::absent || e_.state == HomeState::live ||
           e_.state == HomeState::lost;
  }
  NodeBits everyone_waiting() const {
    NodeBits all;
    for (NodeBits some : e_.waiting) all = all | some;
    return all;
  }

  Message message(MessageType type, NodeId to, NodeId requester) const {
    Message m;
    m.type = type;
    m.epoch = place_.epoch;
    m.from = place_.self;
    m.to = to;
    m.requester = requester;
    return m;
  }
  void send(MessageType type, NodeId to, NodeId requester, NodeBits set = {}) {
    Message m = message(type, to, requester);
    m.set = set;
    out_.push_back(m);
  }
  void send_all(MessageType type, NodeBits to, NodeId requester) {
    for (; !to.empty(); to.erase(to.min())) send(type, to.min(), requester);
  }
  void wait_for(NodeId closer, NodeId requester, Effect effect) {
    e_.state = HomeState::busy;
    e_.closer = closer;
    e_.requester = requester;
    e_.effect = effect;
  }

  void serve();
  void serve_one(NodeId node, Request request);
  void get(NodeId node);
  void grab(NodeId node);
  void remove(NodeId node);
  void flush(NodeId node);
  void create(NodeId node);
  void rebuilt();

  Entry& e_;
  const Place& place_;
  Outbox& out_;
};

// Serves who waits until one of them must be waited for.
void Home::serve() {
  while (resting()) {
    const NodeBits urgent = e_.urgent & waiting(Request::remove);
    const NodeId node = (urgent.empty() ? everyone_waiting() : urgent).after(e_.turn);
    if (node == kNoNode) return;
    e_.turn = node;
    e_.urgent.erase(node);
    for (std::uint8_t i = 1; i < kRequests; ++i) {
      const auto request = static_cast<Request>(i);
      if (!waiting(request).contains(node)) continue;
      waiting(request).erase(node);
      serve_one(node, request);
      break;
    }
  }
}

void Home::serve_one(NodeId node, Request request) {
  switch (request) {
    case Request::get:
      return get(node);
    case Request::grab:
      return grab(node);
    case Request::remove:
      return remove(node);
    case Request::flush:
      return flush(node);
    case Request::none:
      return;
  }
}

// The creator itself tells the witnesses: whoever knows that the object exists hears it from a
// holder, so that a creation cut short by a view change leaves no false `lost` behind.
void Home::create(NodeId node) {
  send(MessageType::create, node, node, place_.witnesses());
  wait_for(node, node, Effect::own);
}

void Home::get(NodeId node) {
  if (e_.state == HomeState::lost) return send(MessageType::lost, node, node);
  if (e_.state == HomeState::absent) return create(node);
  if (e_.copies.contains(node)) return send(MessageType::grant, node, node);
  send(MessageType::forward_get, e_.owner, node);
  wait_for(node, node, Effect::share);
}

void Home::grab(NodeId node) {
  if (e_.state == HomeState::lost) return send(MessageType::lost, node, node);
  if (e_.state == HomeState::absent) return create(node);
  const NodeBits others = e_.copies - NodeBits::of(node);
  if (e_.copies.contains(node)) {
    send_all(MessageType::invalidate, others, node);
    send(MessageType::grant, node, node, others);
    return wait_for(node, node, Effect::own);
  }
  const NodeBits readers = others - NodeBits::of(e_.owner);
  send_all(MessageType::invalidate, readers, node);
  send(MessageType::forward_grab, e_.owner, node, readers);
  wait_for(e_.owner, node, Effect::own);
}

void Home::remove(NodeId node) {
  if (e_.state == HomeState::absent) return send(MessageType::nothing, node, node);
  const NodeBits others = (e_.copies | place_.witnesses()) - NodeBits::of(node);
  send_all(MessageType::remove, others, node);
  send(MessageType::grant, node, node, others);
  wait_for(node, node, Effect::vanish);
}

void Home::flush(NodeId node) {
  if (!e_.copies.contains(node)) return send(MessageType::nothing, node, node);
  if (node != e_.owner) {
    send(MessageType::invalidate, node, node);
    return wait_for(node, node, Effect::drop);
  }
  const NodeBits others = e_.copies - NodeBits::of(node);
  e_.heir = others.empty() ? place_.home : others.min();
  if (e_.heir == node) return send(MessageType::nothing, node, node);  // Somebody must hold it.
  Message m = message(MessageType::forward_flush, node, node);
  m.heir = e_.heir;
  out_.push_back(m);
  wait_for(node, node, Effect::move);
}

void Home::done() {
  e_.state = HomeState::live;
  switch (e_.effect) {
    case Effect::share:
      e_.copies.insert(e_.requester);
      break;
    case Effect::own:
      e_.owner = e_.requester;
      e_.copies = NodeBits::of(e_.requester);
      break;
    case Effect::vanish:
      e_.state = HomeState::absent;
      e_.owner = kNoNode;
      e_.copies = {};
      break;
    case Effect::drop:
      e_.copies.erase(e_.requester);
      break;
    case Effect::move:
      e_.copies.erase(e_.requester);
      e_.copies.insert(e_.heir);
      e_.owner = e_.heir;
      break;
    case Effect::none:
      break;
  }
  e_.effect = Effect::none;
  e_.requester = e_.closer = e_.heir = kNoNode;
  serve();
}

void Home::report(const Message& m) {
  e_.awaited.erase(m.from);
  if (m.copy == CopyState::ceded) {
    e_.ceded = m.from;
    e_.heir = m.heir;
  } else if (m.copy != CopyState::invalid) {
    e_.copies.insert(m.from);
    if (e_.owner == kNoNode || m.copy == CopyState::exclusive) e_.owner = m.from;
  }
  if (m.witness) e_.witnesses.insert(m.from);
  if (m.request != Request::none) waiting(m.request).insert(m.from);
  if (m.request == Request::remove) e_.urgent.insert(m.from);
  if (e_.awaited.empty()) rebuilt();
}

// Every member has reported. A held copy is the truth: nobody writes while another holds one. A
// ceded one is the truth if its heir can not have written: it lives and says that it never got the
// bytes, or (a flush, which names its sender as heir) it was not allowed to.
void Home::rebuilt() {
  const bool exists = !e_.copies.empty() || !e_.witnesses.empty() || e_.ceded != kNoNode;
  const bool restore = e_.copies.empty() && e_.ceded != kNoNode && place_.members.contains(e_.heir);
  if (restore) {
    e_.owner = e_.ceded;
    e_.copies = NodeBits::of(e_.ceded);
  }
  e_.next = !exists ? HomeState::absent : e_.copies.empty() ? HomeState::lost : HomeState::live;
  const NodeBits knowing = exists ? place_.witnesses() : NodeBits();
  NodeBits wrong = (knowing - e_.witnesses) | (e_.witnesses - knowing);
  if (e_.ceded != kNoNode) wrong.insert(e_.ceded);
  e_.state = HomeState::settling;
  e_.awaited = wrong;
  for (NodeBits to = wrong; !to.empty(); to.erase(to.min())) {
    Message m = message(MessageType::settle, to.min(), kNoNode);
    m.witness = knowing.contains(m.to);
    m.copy = restore ? CopyState::shared : CopyState::invalid;
    out_.push_back(m);
  }
  e_.ceded = e_.heir = kNoNode;
  e_.witnesses = {};
  settled(kNoNode);
}

void Home::settled(NodeId node) {
  e_.awaited.erase(node);
  if (!e_.awaited.empty()) return;
  e_.state = e_.next;
  e_.next = HomeState::absent;
  serve();
}

// The home's half of the table. Rows are what a message may find; all else is refused.
bool possible(const Entry& e, const Message& m) {
  switch (m.type) {
    case MessageType::get_request:
    case MessageType::grab_request:
    case MessageType::remove_request:
    case MessageType::flush_request: {
      NodeBits all;
      for (NodeBits some : e.waiting) all = all | some;
      return m.from.value < kNodesMax && !all.contains(m.from);
    }
    case MessageType::done:
      return e.state == HomeState::busy && m.from == e.closer;
    case MessageType::report:
      return e.state == HomeState::rebuilding && e.awaited.contains(m.from) &&
             (m.copy != CopyState::ceded || e.ceded == kNoNode);
    case MessageType::settled:
      return e.state == HomeState::settling && e.awaited.contains(m.from);
    default:
      return false;  // A message to a node.
  }
}

}  // namespace

Step home_step(Entry& entry, const Place& place, const Message& message, Outbox& out) {
  Step step;
  step.verdict = check_epoch(message, place);
  if (step.verdict != Verdict::taken) return step;
  if (place.self != place.home || !possible(entry, message)) return refuse(entry, message);
  Home home(entry, place, out);
  switch (message.type) {
    case MessageType::get_request:
      home.queue(message.from, Request::get);
      break;
    case MessageType::grab_request:
      home.queue(message.from, Request::grab);
      break;
    case MessageType::remove_request:
      home.queue(message.from, Request::remove);
      break;
    case MessageType::flush_request:
      home.queue(message.from, Request::flush);
      break;
    case MessageType::done:
      home.done();
      break;
    case MessageType::report:
      home.report(message);
      break;
    case MessageType::settled:
      home.settled(message.from);
      break;
    default:
      break;
  }
  return step;
}

void home_view(Entry& entry, const Place& place) {
  entry = Entry{};
  if (place.self != place.home) return;
  entry.state = HomeState::rebuilding;
  entry.awaited = place.members;
}

}  // namespace krg::kddm_protocol
