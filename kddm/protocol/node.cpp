#include "krg/kddm_protocol/node.h"

#include "names.h"
#include "pair_text.h"

namespace krg::kddm_protocol {
namespace {

constexpr std::array<std::string_view, kLocalOps> kOpNames = {"get", "grab", "put", "remove",
                                                              "flush"};
constexpr std::array<std::string_view, 3> kUseNames = {"idle", "reading", "writing"};
constexpr auto kRefusals = pair_texts(kCopyNames, kMessageNames);

Step refuse(const Copy& copy, const Message& m) {
  const auto type = static_cast<std::size_t>(m.type);
  if (type >= kMessageTypes) return impossible("the node cannot take an unknown message", m.from);
  return impossible(kRefusals[static_cast<std::size_t>(copy.state)][type].data(), m.from);
}

// One step: the copy, the messages it makes, and what it tells the caller.
class Node {
 public:
  Node(Copy& copy, const Place& place, Outbox& out) : c_(copy), place_(place), out_(out) {}

  void op(LocalOp op);
  void take(const Message& m);
  void report();
  Step step() const { return step_; }

 private:
  void send(MessageType type, NodeId to, NodeId requester = kNoNode, NodeBits set = {}) {
    Message m;
    m.type = type;
    m.epoch = place_.epoch;
    m.from = place_.self;
    m.to = to;
    m.requester = requester;
    m.set = set;
    m.version = c_.version;
    out_.push_back(m);
  }
  void ask(MessageType type, Request request) {
    c_.pending = request;
    send(type, place_.home, place_.self);
  }
  void drop() {
    c_.state = CopyState::invalid;
    c_.lent = false;
    c_.heir = kNoNode;
    c_.version = 0;
  }
  void use(Request request) {
    c_.use = request == Request::grab ? Use::writing : Use::reading;
    step_.finished = request;
  }
  void finish() {
    step_.finished = c_.pending;
    c_.pending = Request::none;
    c_.granted = false;
    c_.giver = kNoNode;
    c_.expected = c_.acked = {};
  }

  void local(LocalOp op);
  void put();
  void defer(const Message& m);
  void demand(const Message& m);
  void granted(const Message& m);
  void complete();

  Copy& c_;
  const Place& place_;
  Outbox& out_;
  Step step_;
};

void Node::op(LocalOp op) {
  if (op == LocalOp::put) return put();
  if (c_.pending != Request::none || c_.use != Use::idle) {
    step_.verdict = Verdict::busy;
    return;
  }
  switch (op) {
    case LocalOp::get:
      if (c_.usable()) return use(Request::get);
      return ask(MessageType::get_request, Request::get);
    case LocalOp::grab:
      if (c_.state == CopyState::exclusive) return use(Request::grab);
      return ask(MessageType::grab_request, Request::grab);
    case LocalOp::remove:
      return ask(MessageType::remove_request, Request::remove);
    case LocalOp::flush:
      if (c_.usable()) return ask(MessageType::flush_request, Request::flush);
      step_.finished = Request::flush;
      step_.flushed = true;
      return;
    case LocalOp::put:
      return;
  }
}

void Node::put() {
  if (c_.use == Use::idle) {
    step_.verdict = Verdict::refused;
    step_.error = Error(Errc::invalid_argument, "put of an object that is not in use");
    return;
  }
  c_.use = Use::idle;
  if (!c_.deferred) return;
  Message m;
  m.type = c_.demand;
  m.from = c_.demand_from;
  m.requester = c_.demand_requester;
  m.set = c_.demand_set;
  c_.deferred = false;
  c_.demand = MessageType::done;
  c_.demand_from = c_.demand_requester = kNoNode;
  c_.demand_set = {};
  demand(m);
}

void Node::defer(const Message& m) {
  c_.deferred = true;
  c_.demand = m.type;
  c_.demand_from = m.from;
  c_.demand_requester = m.requester;
  c_.demand_set = m.set;
}

// What the home wants of this copy. A reader in place does not mind another reader.
void Node::demand(const Message& m) {
  const bool reads = m.type == MessageType::forward_get;
  if (c_.use == Use::writing || (c_.use == Use::reading && !reads)) return defer(m);
  switch (m.type) {
    case MessageType::forward_get:
      c_.state = CopyState::shared;
      return send(MessageType::data, m.requester, m.requester);
    case MessageType::forward_grab:
      c_.state = CopyState::ceded;
      c_.heir = m.requester;
      return send(MessageType::hand_over, m.requester, m.requester, m.set);
    case MessageType::forward_flush:
      c_.state = CopyState::ceded;
      c_.heir = m.heir;
      c_.lent = c_.granted = true;
      return send(MessageType::adopt, m.heir, m.requester);
    case MessageType::invalidate:
      drop();
      if (m.requester != place_.self) return send(MessageType::ack, m.requester);
      finish();
      step_.flushed = true;
      return send(MessageType::done, place_.home);
    case MessageType::remove:
      drop();
      c_.witness = false;
      return send(MessageType::ack, m.requester);
    default:
      return;
  }
}

// grant, create, hand_over: the last word of the home; acks may still be missing.
void Node::granted(const Message& m) {
  if (m.type == MessageType::grant && c_.pending == Request::get) {
    c_.pending = Request::none;
    return use(Request::get);
  }
  c_.granted = true;
  c_.expected = m.set;
  if (m.type == MessageType::hand_over) {
    c_.state = CopyState::shared;
    c_.version = m.version;
    c_.giver = m.from;
  }
  if (m.type == MessageType::create) {
    c_.state = CopyState::shared;
    step_.created = true;
    if (m.set.contains(place_.self)) c_.witness = true;
    c_.expected.erase(place_.self);
    for (NodeBits to = c_.expected; !to.empty(); to.erase(to.min()))
      send(MessageType::witness, to.min(), place_.self);
  }
  complete();
}

void Node::complete() {
  if (!c_.granted || !c_.expected.is_subset_of(c_.acked)) return;
  const Request request = c_.pending;
  const NodeId giver = c_.giver;
  finish();
  if (request == Request::remove) {
    drop();
    c_.witness = false;
  } else {
    c_.state = CopyState::exclusive;
    use(request);
  }
  send(giver == kNoNode ? MessageType::done : MessageType::taken,
       giver == kNoNode ? place_.home : giver);
}

void Node::take(const Message& m) {
  switch (m.type) {
    case MessageType::grant:
    case MessageType::create:
    case MessageType::hand_over:
      return granted(m);
    case MessageType::nothing:
      return finish();
    case MessageType::lost:
      step_.lost = true;
      return finish();
    case MessageType::settle:
      c_.witness = m.witness;
      if (c_.state == CopyState::ceded) {
        if (m.copy == CopyState::shared) {
          c_.state = CopyState::shared;
          c_.lent = false;
          c_.heir = kNoNode;
        } else {
          drop();
        }
      }
      return send(MessageType::settled, place_.home);
    case MessageType::data:
      c_.state = CopyState::shared;
      c_.version = m.version;
      finish();
      use(Request::get);
      return send(MessageType::done, place_.home);
    case MessageType::adopt:
      c_.state = CopyState::shared;
      c_.version = m.version;
      return send(MessageType::taken, m.from);
    case MessageType::taken:
      drop();
      if (c_.pending == Request::flush && c_.granted) {
        finish();
        step_.flushed = true;
      }
      return send(MessageType::done, place_.home);
    case MessageType::witness:
      c_.witness = true;
      return send(MessageType::ack, m.from);
    case MessageType::ack:
      c_.acked.insert(m.from);
      return complete();
    default:
      return demand(m);
  }
}

void Node::report() {
  c_.granted = c_.deferred = false;
  c_.giver = kNoNode;
  c_.expected = c_.acked = {};
  c_.demand = MessageType::done;
  c_.demand_from = c_.demand_requester = kNoNode;
  c_.demand_set = {};
  send(MessageType::report, place_.home);
  Message& m = out_.back();
  m.request = c_.pending;
  m.copy = c_.state;
  m.witness = c_.witness;
  m.heir = c_.lent ? place_.self : c_.heir;
}

bool waits_for_grant(const Copy& c) {
  return !c.granted && (c.pending == Request::get || c.pending == Request::grab);
}

// The node's half of the table: which message each state of a copy may meet.
bool possible(const Copy& c, const Place& place, const Message& m) {
  const bool held = c.usable() && !c.deferred;
  const bool open = c.pending != Request::none && !c.granted;
  switch (m.type) {
    case MessageType::forward_get:
      return held;
    case MessageType::forward_grab:
      return held;
    case MessageType::forward_flush:
      return held && open && c.pending == Request::flush;
    case MessageType::invalidate:
      return held && (m.requester != place.self || c.pending == Request::flush);
    case MessageType::remove:
      return c.state != CopyState::ceded && !c.deferred;
    case MessageType::grant:
      if (c.pending == Request::get || c.pending == Request::grab) return open && c.usable();
      return open && c.pending == Request::remove && c.state != CopyState::ceded;
    case MessageType::create:
      return waits_for_grant(c) && c.state == CopyState::invalid;
    case MessageType::hand_over:
      return open && c.pending == Request::grab && c.state == CopyState::invalid;
    case MessageType::data:
      return open && c.pending == Request::get && c.state == CopyState::invalid;
    case MessageType::nothing:
      return open && c.state != CopyState::ceded &&
             (c.pending == Request::remove || c.pending == Request::flush);
    case MessageType::lost:
      return waits_for_grant(c) && c.state == CopyState::invalid;
    case MessageType::settle:
      return true;
    case MessageType::adopt:
      return c.state == CopyState::invalid || (c.state == CopyState::shared && !c.deferred);
    case MessageType::taken:
      return c.state == CopyState::ceded && m.from == c.heir;
    case MessageType::witness:
      return c.state == CopyState::invalid;
    case MessageType::ack:
      return c.pending != Request::none && c.pending != Request::flush &&
             c.state != CopyState::ceded && !c.acked.contains(m.from);
    default:
      return false;  // A message to the home.
  }
}

}  // namespace

std::string_view name_of(LocalOp op) noexcept { return name_in(kOpNames, op); }
std::string_view name_of(Use use) noexcept { return name_in(kUseNames, use); }

Step node_op(Copy& copy, const Place& place, LocalOp op, Outbox& out) {
  Node node(copy, place, out);
  node.op(op);
  return node.step();
}

Step node_step(Copy& copy, const Place& place, const Message& message, Outbox& out) {
  Step step;
  step.verdict = check_epoch(message, place);
  if (step.verdict != Verdict::taken) return step;
  if (!possible(copy, place, message)) return refuse(copy, message);
  Node node(copy, place, out);
  node.take(message);
  return node.step();
}

void node_view(Copy& copy, const Place& place, Outbox& out) {
  Node node(copy, place, out);
  node.report();
}

}  // namespace krg::kddm_protocol
