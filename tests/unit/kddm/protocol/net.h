// A cluster of any size that uses one object, in the order of the hops: what is sent in hop n
// arrives before what is sent in hop n + 1. A message to the own node takes no hop.
#pragma once

#include <deque>
#include <map>
#include <string>
#include <vector>

#include "krg/protocol/step.h"

namespace krg::kddm::check {

class Net {
 public:
  struct Ended {
    Answer status = Answer::ok;
    bool lease = false;
    unsigned hops = 0;
  };

  explicit Net(unsigned nodes, unsigned copies = 1)
      : members_(cluster::NodeSet::first(nodes)), parts_(nodes), copies_(copies) {
    for (unsigned n = 0; n < nodes; ++n) parts_[n] = blank_part(place(n));
  }

  // Node 0 is the home, node 1 the heir.
  Place place(unsigned node) const {
    Place place;
    place.epoch = Epoch{1};
    place.self = NodeId{node};
    place.home = NodeId{0};
    place.heir = parts_.size() > 1 ? NodeId{1} : kNoNode;
    place.members = &members_;
    place.copies = static_cast<std::uint8_t>(copies_);
    return place;
  }

  // Runs an op and all that follows; a lease is given back unless `hold`.
  Ended run(unsigned node, Kind kind, std::uint16_t flags = 0, bool hold = false) {
    const std::uint32_t op = ++ops_;
    give(node, {.kind = kind, .flags = flags, .epoch = Epoch{1}, .op = op}, 0);
    drain();
    if (ended_.contains(op) && ended_[op].lease && !hold) put(node, kind);
    return ended_.contains(op) ? ended_[op] : Ended{Answer::failed, false, 999};
  }
  void put(unsigned node, Kind got) {
    const Kind kind = got == Kind::op_grab ? Kind::op_put_write : Kind::op_put_read;
    give(node, {.kind = kind, .epoch = Epoch{1}}, 0);
    drain();
  }

  const Part& part(unsigned node) const { return parts_[node]; }
  unsigned messages = 0;  // Between nodes, so far.
  std::vector<std::string> errors;

 private:
  struct Parcel {
    unsigned to;
    Message message;
    unsigned hops;
  };

  void give(unsigned node, const Message& in, unsigned hops) {
    Actions actions;
    const StepResult result = step(place(node), parts_[node], in, actions);
    if (result.outcome == Outcome::impossible) errors.emplace_back(result.why);
    for (const Action& action : actions) {
      const Message& m = action.message;
      if (action.what == Action::Do::send) {
        const bool self = action.to.value == node;
        messages += self ? 0 : 1;
        queue_[hops + (self ? 0 : 1)].push_back({action.to.value, m, hops + (self ? 0 : 1)});
      } else if (action.what == Action::Do::fill) {
        queue_[hops].push_back({node, {.kind = Kind::op_filled, .epoch = Epoch{1}}, hops});
      } else if (action.what == Action::Do::lease) {
        ended_[m.op] = {Answer::ok, true, hops};
      } else if (action.what == Action::Do::finish) {
        ended_[m.op] = {m.status, false, hops};
      }
    }
  }
  void drain() {
    while (!queue_.empty()) {
      auto& now = queue_.begin()->second;
      if (now.empty()) {
        queue_.erase(queue_.begin());
        continue;
      }
      const Parcel parcel = now.front();
      now.pop_front();
      give(parcel.to, parcel.message, parcel.hops);
    }
  }

  cluster::NodeSet members_;
  std::vector<Part> parts_;
  unsigned copies_;
  std::uint32_t ops_ = 0;
  std::map<unsigned, std::deque<Parcel>> queue_;
  std::map<std::uint32_t, Ended> ended_;
};

}  // namespace krg::kddm::check
