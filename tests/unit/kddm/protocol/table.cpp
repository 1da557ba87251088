#include "table.h"

#include <set>
#include <string_view>
#include <vector>

#include "krg/kddm_protocol/home.h"
#include "krg/kddm_protocol/node.h"

namespace krg::kddm_protocol::testing {
namespace {

constexpr NodeId kHome{0}, kWitness{1}, kOwner{2}, kAsker{3};

Place place_of(NodeId self) {
  Place place;
  place.epoch = Epoch{1};
  place.members = NodeBits::first(4);
  place.self = self;
  place.home = kHome;
  place.witness = kWitness;
  return place;
}

std::string sent(const Outbox& out) {
  std::string text;
  std::set<std::string_view> names;
  for (const Message& m : out)
    if (names.insert(name_of(m.type)).second)
      text += (text.empty() ? "" : ", ") + std::string(name_of(m.type));
  return text;
}

// What may come of a pair, over all the examples given for it; refusals only if nothing else does.
class Cell {
 public:
  void add(const Step& step, std::string_view state, const Outbox& out, bool deferred) {
    if (step.verdict == Verdict::refused) return;
    std::string text = deferred ? "wait for put" : std::string(state);
    if (!out.empty()) text += " / " + sent(out);
    outcomes_.insert(text);
  }
  std::string text() const {
    if (outcomes_.empty()) return "-";
    std::string all;
    for (const std::string& one : outcomes_) all += (all.empty() ? "" : "; ") + one;
    return all;
  }

 private:
  std::set<std::string> outcomes_;
};

Entry entry_in(HomeState state) {
  Entry e;
  e.state = state;
  if (state == HomeState::live || state == HomeState::busy) {
    e.owner = kOwner;
    e.copies = NodeBits::of(kOwner) | NodeBits::of(kWitness);
  }
  if (state == HomeState::busy) {
    e.effect = Effect::share;
    e.requester = e.closer = kAsker;
  }
  if (state == HomeState::rebuilding || state == HomeState::settling)
    e.awaited = NodeBits::of(kAsker);
  return e;
}

std::string home_cell(HomeState state, MessageType type) {
  Cell cell;
  for (NodeId from : {kWitness, kOwner, kAsker}) {
    for (CopyState copy : {CopyState::invalid, CopyState::shared}) {
      Entry entry = entry_in(state);
      Message m;
      m.type = type;
      m.epoch = Epoch{1};
      m.from = from;
      m.to = kHome;
      m.copy = copy;
      Outbox out;
      const Step step = home_step(entry, place_of(kHome), m, out);
      cell.add(step, name_of(entry.state), out, false);
    }
  }
  return cell.text();
}

std::vector<Copy> copies_in(CopyState state) {
  std::vector<Copy> all;
  for (Request pending :
       {Request::none, Request::get, Request::grab, Request::remove, Request::flush})
    for (Use use : {Use::idle, Use::reading, Use::writing})
      for (bool granted : {false, true}) {
        Copy c;
        c.state = state;
        c.pending = pending;
        c.use = use;
        c.granted = granted;
        if (use != Use::idle && (!c.usable() || pending != Request::none)) continue;
        if (use == Use::writing && state != CopyState::exclusive) continue;
        if (granted && pending == Request::none) continue;
        if (granted && pending == Request::flush && state != CopyState::ceded) continue;
        if (pending == Request::flush && state == CopyState::invalid) continue;
        const bool wants = pending == Request::get || pending == Request::grab;
        if (wants && state == CopyState::exclusive) continue;
        if (wants && granted && state == CopyState::invalid) continue;
        if (granted) c.expected = NodeBits::of(kOwner);
        if (state == CopyState::ceded) c.heir = kOwner;
        all.push_back(c);
      }
  return all;
}

std::string node_cell(CopyState state, MessageType type) {
  Cell cell;
  for (const Copy& start : copies_in(state))
    for (NodeId requester : {kOwner, kAsker})
      for (bool all : {false, true}) {
        Copy copy = start;
        Message m;
        m.type = type;
        m.epoch = Epoch{1};
        m.from = kOwner;
        m.to = kAsker;
        m.requester = requester;
        m.heir = kOwner;
        m.copy = all ? CopyState::exclusive : CopyState::invalid;
        if (all) m.set = NodeBits::of(kWitness);
        Outbox out;
        const Step step = node_step(copy, place_of(kAsker), m, out);
        cell.add(step, name_of(copy.state), out, copy.deferred);
      }
  return cell.text();
}

}  // namespace

std::string home_table() {
  std::string text = "| message |";
  std::string rule = "|---|";
  for (std::uint8_t s = 0; s < kHomeStates; ++s) {
    text += " " + std::string(name_of(static_cast<HomeState>(s))) + " |";
    rule += "---|";
  }
  text += "\n" + rule + "\n";
  for (std::uint8_t t = 0; t < kMessageTypes; ++t) {
    text += "| " + std::string(name_of(static_cast<MessageType>(t))) + " |";
    for (std::uint8_t s = 0; s < kHomeStates; ++s)
      text += " " + home_cell(static_cast<HomeState>(s), static_cast<MessageType>(t)) + " |";
    text += "\n";
  }
  return text;
}

std::string node_table() {
  std::string text = "| message |";
  std::string rule = "|---|";
  for (std::uint8_t s = 0; s < kCopyStates; ++s) {
    text += " " + std::string(name_of(static_cast<CopyState>(s))) + " |";
    rule += "---|";
  }
  text += "\n" + rule + "\n";
  for (std::uint8_t t = 0; t < kMessageTypes; ++t) {
    text += "| " + std::string(name_of(static_cast<MessageType>(t))) + " |";
    for (std::uint8_t s = 0; s < kCopyStates; ++s)
      text += " " + node_cell(static_cast<CopyState>(s), static_cast<MessageType>(t)) + " |";
    text += "\n";
  }
  return text;
}

}  // namespace krg::kddm_protocol::testing
