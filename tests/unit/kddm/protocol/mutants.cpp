#include "mutants.h"

#include <algorithm>

namespace krg::kddm_protocol::testing {
namespace {

void drop_messages(Outbox& out, MessageType type) {
  std::erase_if(out, [type](const Message& m) { return m.type == type; });
}

bool sends(const Outbox& out, MessageType type) {
  return std::any_of(out.begin(), out.end(), [type](const Message& m) { return m.type == type; });
}

std::vector<Mutant> of_the_node() {
  std::vector<Mutant> all;
  all.push_back({.name = "a reader acknowledges an invalidation and keeps its copy",
                 .effect = [](const Taken& t) {
                   if (t.message.type != MessageType::invalidate || t.copy.deferred) return;
                   t.copy.state = t.copy_before.state;
                   t.copy.version = t.copy_before.version;
                 }});
  all.push_back({.name = "a reader in place acknowledges at once", .effect = [](const Taken& t) {
                   if (t.message.type != MessageType::invalidate || !t.copy.deferred) return;
                   Message ack = t.message;
                   ack.type = MessageType::ack;
                   ack.from = t.place.self;
                   ack.to = t.message.requester;
                   t.copy.deferred = false;
                   t.out.push_back(ack);
                 }});
  all.push_back(
      {.name = "the writer does not wait for acks", .message = [](Message& m, const Place&) {
         if (m.type == MessageType::grant || m.type == MessageType::hand_over) m.set = {};
       }});
  all.push_back({.name = "the owner stays exclusive beside a reader", .effect = [](const Taken& t) {
                   if (t.message.type == MessageType::forward_get)
                     t.copy.state = t.copy_before.state;
                 }});
  all.push_back({.name = "the owner keeps a copy when it hands over", .effect = [](const Taken& t) {
                   if (sends(t.out, MessageType::hand_over)) t.copy.state = CopyState::shared;
                 }});
  all.push_back({.name = "the owner forgets the bytes before they have arrived",
                 .effect =
                     [](const Taken& t) {
                       if (sends(t.out, MessageType::hand_over)) {
                         t.copy.state = CopyState::invalid;
                         t.copy.heir = kNoNode;
                       }
                     },
                 .view = nullptr});
  all.push_back(
      {.name = "a demand deferred by a user is forgotten at put", .effect = [](const Taken& t) {
         if (t.copy_before.deferred && !t.copy.deferred) t.out.clear();
       }});
  all.push_back({.name = "a witness does not remember", .effect = [](const Taken& t) {
                   if (t.message.type == MessageType::witness) t.copy.witness = false;
                 }});
  all.push_back({.name = "the end of a transaction is not told", .effect = [](const Taken& t) {
                   if (t.message.type == MessageType::data) drop_messages(t.out, MessageType::done);
                 }});
  return all;
}

std::vector<Mutant> of_the_home() {
  std::vector<Mutant> all;
  all.push_back({.name = "the home forgets a reader", .effect = [](const Taken& t) {
                   if (t.message.type == MessageType::done &&
                       t.entry_before.effect == Effect::share && t.entry.state == HomeState::live)
                     t.entry.copies.erase(t.entry_before.requester);
                 }});
  all.push_back({.name = "an invalidation is dropped and its ack not asked for",
                 .effect = [](const Taken& t) {
                   if (!sends(t.out, MessageType::invalidate)) return;
                   drop_messages(t.out, MessageType::invalidate);
                   for (Message& m : t.out) m.set = {};
                 }});
  all.push_back({.name = "the home serves the next before the end of the one before",
                 .effect =
                     [](const Taken& t) {
                       if (t.entry.state != HomeState::busy || t.entry.effect != Effect::share)
                         return;
                       t.entry.state = HomeState::live;
                       t.entry.copies.insert(t.entry.requester);
                     },
                 .view = nullptr});
  all.push_back(
      {.name = "a request that finds the home busy is dropped", .effect = [](const Taken& t) {
         if (t.message.from != kNoNode && t.entry_before.state == HomeState::busy &&
             t.message.type != MessageType::done)
           t.entry.waiting = t.entry_before.waiting;
       }});
  all.push_back({.name = "lost is taken for absent", .effect = [](const Taken& t) {
                   if (t.entry.state == HomeState::lost) t.entry.state = HomeState::absent;
                   if (t.entry.state == HomeState::settling && t.entry.next == HomeState::lost)
                     t.entry.next = HomeState::absent;
                 }});
  all.push_back(
      {.name = "the home passes over a writer's other readers", .effect = [](const Taken& t) {
         for (Message& m : t.out)
           if (m.type == MessageType::forward_grab) m.set = {};
         std::erase_if(t.out, [](const Message& m) {
           return m.type == MessageType::invalidate && m.to != m.requester;
         });
       }});
  return all;
}

std::vector<Mutant> of_view_changes() {
  std::vector<Mutant> all;
  all.push_back({.name = "the epoch is not tested", .message = [](Message& m, const Place& at) {
                   if (m.epoch < at.epoch) m.epoch = at.epoch;
                 }});
  all.push_back(
      {.name = "the epoch of bytes is not tested", .message = [](Message& m, const Place& at) {
         if (m.type == MessageType::data && m.epoch < at.epoch) m.epoch = at.epoch;
       }});
  all.push_back(
      {.name = "a survivor does not report its copy", .view = [](Entry&, Copy&, Outbox& out) {
         for (Message& m : out) m.copy = CopyState::invalid;
       }});
  all.push_back({.name = "a survivor does not ask again", .view = [](Entry&, Copy&, Outbox& out) {
                   for (Message& m : out) m.request = Request::none;
                 }});
  all.push_back({.name = "the home serves after the first report",
                 .message = [](Message&, const Place&) {},
                 .view =
                     [](Entry& entry, Copy&, Outbox&) {
                       if (entry.state != HomeState::rebuilding) return;
                       entry.awaited = NodeBits::of(entry.awaited.after(NodeId{0}));
                     }});
  all.push_back({.name = "a ceded copy comes back though its heir is dead",
                 .message = [](Message& m, const Place& at) {
                   if (m.type == MessageType::report && m.copy == CopyState::ceded)
                     m.heir = at.self;
                 }});
  return all;
}

}  // namespace

const std::vector<Mutant>& mutants() {
  static const std::vector<Mutant> kAll = [] {
    std::vector<Mutant> all = of_the_node();
    for (auto&& more : {of_the_home(), of_view_changes()})
      all.insert(all.end(), more.begin(), more.end());
    return all;
  }();
  return kAll;
}

}  // namespace krg::kddm_protocol::testing
