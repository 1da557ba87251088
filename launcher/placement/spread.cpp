// How many ranks of an app each node gets, and on which of its objects.
#include <algorithm>
#include <numeric>

#include "complain.h"
#include "shape.h"

namespace krg::placement {
namespace {

using topo::Level;

class Spreader {
 public:
  Spreader(Work& work, std::uint32_t app)
      : work_(work),
        app_(app),
        mapping_(*work.policy.map),
        nodes_(candidates(work, app)),
        left_(work.app_ranks[app]) {}

  Status run() {
    if (nodes_.empty()) {
      return complain(work_.complaint, ":NOLOCAL leaves no node for program {}", app_ + 1);
    }
    KRG_TRY(check_objects());
    KRG_TRY(check_room());
    if (mapping_.by == MapBy::ppr) return by_ppr();
    if (mapping_.by == MapBy::node) {
      by_node();
    } else if (work_.policy.modifiers.span) {
      by_span();
    } else {
      by_slot();
    }
    return {};
  }

 private:
  Seat& seat(std::uint32_t node) { return work_.seats[node]; }

  std::uint64_t room(bool oversubscribe) {
    std::uint64_t sum = 0;
    for (const std::uint32_t node : nodes_) sum += capacity(node, oversubscribe);
    return sum;
  }

  // Like Seat::room(), but an ordered list of cpus is a limit of its own.
  std::uint32_t capacity(std::uint32_t node, bool oversubscribe) {
    std::uint32_t limit = seat(node).room(oversubscribe);
    if (mapping_.by == MapBy::pe_list && mapping_.ordered && !overload_allowed()) {
      const auto listed = static_cast<std::uint32_t>(mapping_.cpus.count());
      limit = std::min(limit, listed > seat(node).used() ? listed - seat(node).used() : 0);
    }
    return limit;
  }

  bool overload_allowed() const { return work_.policy.bind->overload; }

  // Every node must have what is mapped to.
  Status check_objects() {
    if (mapping_.by != MapBy::object && mapping_.by != MapBy::ppr) return {};
    for (const std::uint32_t node : nodes_) {
      if (!seat(node).shape->at(mapping_.level).empty()) continue;
      return complain(work_.complaint, "--map-by {}: node {} has no {}", to_string(mapping_),
                      work_.request.nodes[node].name, topo::name(mapping_.level));
    }
    return {};
  }

  // Whether the ranks fit, and whether that takes more ranks than slots.
  Status check_room() {
    if (room(false) >= left_) return {};
    const auto& said = work_.policy.modifiers.oversubscribe;
    const bool allowed = said.value_or(work_.request.free_per_thread > 0);
    if (allowed && room(true) >= left_) {
      oversubscribe_ = true;
      return {};
    }
    const auto nodes = nodes_.size();
    const char* const s = nodes == 1 ? "" : "s";
    if (work_.request.per_node > 0 && std::uint64_t{work_.request.per_node} * nodes < left_) {
      return complain(work_.complaint, Errc::limit_reached,
                      "{} ranks asked for, but --ppn {} on {} node{} allows {}: give more hosts or "
                      "a higher --ppn",
                      left_, work_.request.per_node, nodes, s, work_.request.per_node * nodes);
    }
    if (allowed) {
      return complain(work_.complaint, Errc::limit_reached,
                      "{} ranks asked for, but at most {} may run on {} node{}: {}", left_,
                      room(true), nodes, s,
                      said ? "max_slots forbids more" : "add --oversubscribe to insist");
    }
    return complain(
        work_.complaint, Errc::limit_reached,
        "{} ranks asked for, but {} node{} with {} free slot{}: give more hosts or slots, "
        "or add --oversubscribe",
        left_, nodes, nodes == 1 ? " comes" : "s come", room(false), room(false) == 1 ? "" : "s");
  }

  // Puts `count` ranks on a node.
  void put(std::uint32_t node, std::uint32_t count) {
    count = std::min(count, left_);
    for (std::uint32_t i = 0; i < count; ++i) put_on(node, next_object(node));
  }

  void put_on(std::uint32_t node, std::uint32_t object) {
    Placed placed;
    placed.app = app_;
    if (mapping_.by == MapBy::object || mapping_.by == MapBy::ppr) placed.level = mapping_.level;
    placed.object = object;
    seat(node).placed.push_back(std::move(placed));
    --left_;
  }

  // The next object in turn that still has a cpu for a rank; if none has, the next in turn.
  std::uint32_t next_object(std::uint32_t node) {
    if (mapping_.by != MapBy::object) return 0;
    const auto& objects = seat(node).shape->at(mapping_.level);
    if (turns_.size() <= node) turns_.resize(node + 1);
    Turn& turn = turns_[node];
    if (turn.free.empty()) {
      const std::uint32_t pe = std::max(work_.policy.modifiers.pe, 1u);
      for (const auto& object : objects) {
        turn.free.push_back(cpus_in(*seat(node).shape, cpu_level(work_.policy), object) / pe);
      }
      for (const Placed& before : seat(node).placed) take(turn, before.object);
    }
    for (std::size_t i = 0; i < objects.size(); ++i) {
      const auto object = static_cast<std::uint32_t>((turn.next + i) % objects.size());
      if (turn.free[object] == 0) continue;
      take(turn, object);
      return object;
    }
    const std::uint32_t object = turn.next;
    take(turn, object);
    return object;
  }

  struct Turn {
    std::uint32_t next = 0;
    std::vector<std::uint32_t> free;  // Ranks that still find a cpu of their own, per object.
  };
  static void take(Turn& turn, std::uint32_t object) {
    if (turn.free[object] > 0) --turn.free[object];
    turn.next = static_cast<std::uint32_t>((object + 1) % turn.free.size());
  }

  // Fills the slots of each node in turn; what is left is spread evenly.
  void by_slot() {
    for (const std::uint32_t node : nodes_) put(node, capacity(node, false));
    while (left_ > 0) {
      std::vector<std::uint32_t> open;
      for (const std::uint32_t node : nodes_) {
        if (capacity(node, true) > 0) open.push_back(node);
      }
      const auto each = left_ / static_cast<std::uint32_t>(open.size());
      auto extra = left_ % static_cast<std::uint32_t>(open.size());
      for (const std::uint32_t node : open) {
        put(node, std::min(capacity(node, true), each + (extra > 0 ? 1 : 0)));
        if (extra > 0) --extra;
      }
    }
  }

  void by_node() {
    while (left_ > 0) {
      for (const std::uint32_t node : nodes_) {
        if (capacity(node, oversubscribe_) > 0) put(node, 1);
      }
    }
  }

  // Every object of every node in turn.
  void by_span() {
    while (left_ > 0) {
      for (const std::uint32_t node : nodes_) {
        const std::size_t objects = seat(node).shape->at(mapping_.level).size();
        const std::size_t here = std::min<std::size_t>(objects, capacity(node, oversubscribe_));
        put(node, static_cast<std::uint32_t>(here));
      }
    }
  }

  Status by_ppr() {
    for (const std::uint32_t node : nodes_) {
      const auto objects = static_cast<std::uint32_t>(seat(node).shape->at(mapping_.level).size());
      const std::uint32_t wanted = std::min(left_, objects * mapping_.count);
      const std::uint32_t room = seat(node).room(oversubscribe_);
      if (wanted > room) {
        return complain(
            work_.complaint, Errc::limit_reached,
            "--map-by {}: node {} would get {} ranks and has {} free slots; give it more "
            "slots, or add --oversubscribe",
            to_string(mapping_), work_.request.nodes[node].name, wanted, room);
      }
      for (std::uint32_t i = 0; i < wanted; ++i) put_on(node, i / mapping_.count);
    }
    if (left_ == 0) return {};
    return complain(work_.complaint, Errc::limit_reached,
                    "--map-by {}: there is no place for {} of {} ranks", to_string(mapping_), left_,
                    work_.app_ranks[app_]);
  }

  Work& work_;
  const std::uint32_t app_;
  const Mapping& mapping_;
  const std::vector<std::uint32_t> nodes_;
  std::uint32_t left_;
  bool oversubscribe_ = false;
  std::vector<Turn> turns_;  // Per node.
};

}  // namespace

Status spread_app(Work& work, std::uint32_t app) { return Spreader(work, app).run(); }

}  // namespace krg::placement
