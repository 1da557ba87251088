// A whole small cluster as one value: every node's part of every object, the messages under way,
// what each node's task does, and what an outsider may expect of the objects (Ghost).
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "krg/protocol/step.h"
#include "mutants.h"

namespace krg::kddm::check {

inline constexpr unsigned kNodes = 4;
inline constexpr unsigned kObjects = 2;
inline constexpr unsigned kValues = 32;

// What a task may do.
struct Op {
  const char* name;
  Kind kind;
  std::uint16_t flags;
};
inline constexpr Op kOps[] = {
    {"get", Kind::op_get, 0},        {"grab", Kind::op_grab, 0},
    {"flush", Kind::op_flush, 0},    {"sync", Kind::op_sync, 0},
    {"remove", Kind::op_remove, 0},  {"find_get", Kind::op_get, kNoTouch},
    {"try_get", Kind::op_get, kTry}, {"try_grab", Kind::op_grab, kTry},
};

struct Config {
  unsigned nodes = 2;
  unsigned objects = 1;
  unsigned tasks = 1;  // Of each node.
  unsigned ops = 2;    // Of each task.
  unsigned total = 0;  // Of all together; 0: no bound of its own.
  unsigned copies = 1;
  unsigned failures = 0;         // Nodes that die, at any moment.
  unsigned joins = 0;            // Of `nodes`, the first ones: they come later, at any moment.
  unsigned leaves = 0;           // Of `nodes`, the next ones: they leave, at any moment.
  unsigned first = 0;            // The node that object 0 prefers as its home.
  std::uint32_t allowed = 0x1f;  // Of kOps, a bit each.
  bool touch_at_home = false;
  bool fills_fail = false;
  bool data_late = false;  // Later messages of the same sender overtake `data`.
  Mutant mutant = Mutant::none;
};

// One thing that may happen next.
struct Move {
  enum class Type : std::uint8_t {
    deliver,
    overtake,
    issue,
    put,
    fill,
    unfill,
    kill,
    join,
    leave,
    view
  };
  Type type = Type::deliver;
  std::uint8_t a = 0, b = 0, c = 0;
};

struct Task {
  enum class State : std::uint8_t { idle, waiting, reading, writing };
  State state = State::idle;
  std::uint8_t op = 0;  // Of kOps.
  std::uint8_t object = 0;
  std::uint8_t left = 0;  // Ops.
  std::uint8_t mark = 0;  // sync: the value that it must save.
  bool removed = false;   // remove: it has been done.
};

// What the cluster owes to an observer, of one object. Values are numbered in order of creation;
// the object's value is one of low ... high, which differ only after a failure, until somebody
// looks.
struct Ghost {
  enum class Lost : std::uint8_t { no, may, must };
  std::uint8_t low = 0, high = 0, next = 1;
  std::uint8_t floor = 0;    // Others than its writer have seen it, or it is synced.
  std::uint32_t absent = 1;  // A bit per value that means "no such object".
  std::array<std::uint8_t, kValues> writer{};
  Lost lost = Lost::no;
  bool absent_too = false;  // A removal was under way when a node died.
  bool founded = false;     // A home was at rest with it: that it exists is known.
};

struct Parcel {
  Message message;
  std::uint8_t value = 0;  // The bytes of data.
};

class World {
 public:
  explicit World(const Config& config);

  // Every move that is possible now. `issues` are left out of the count of what must happen.
  void moves(std::vector<Move>& out) const;
  // Makes a move and checks what must hold always; says what is wrong, or nothing.
  std::string apply(Move move);
  // What must hold when nothing more happens by itself.
  std::string check_rest() const;
  bool at_rest(const std::vector<Move>& moves) const;

  void save(std::vector<std::uint8_t>& out) const;
  void load(const std::uint8_t* in);

  std::string describe(Move move) const;
  std::string describe() const;
  // What the last apply() did, for a trace.
  std::string narrative;
  bool narrate = false;
  // The cells of the protocol's tables that were used: rule_for()'s state, by input.
  using Coverage = std::array<std::uint32_t, kKinds>;
  Coverage* coverage = nullptr;

 private:
  struct Node {
    bool alive = true;
    std::uint8_t epoch = 1;
    std::uint8_t died = 0;  // The first epoch without it.
    std::uint8_t born = 0;  // The first epoch with it; 0: from the beginning.
    std::array<Part, kObjects> parts;
    std::array<std::uint8_t, kObjects> values{};
    std::array<std::uint8_t, kObjects> filling{};  // The epoch in which a fill began.
    std::array<Asks, kObjects> asked{};            // In the view before.
    std::array<Task, 2> tasks;
  };

  Place place(unsigned node, unsigned object) const;
  Place place(unsigned node, unsigned object, unsigned epoch) const;
  // What the object's place was for the node in `epoch`, from which it comes.
  Before before(unsigned node, unsigned object, unsigned epoch) const;
  void cover(const Part& part, Kind kind);
  void give(unsigned node, unsigned object, const Message& in, std::uint8_t value);
  void perform(unsigned node, unsigned object, const Actions& actions, std::uint8_t value);
  void lease(unsigned node, unsigned object, const Message& action);
  void finish(unsigned node, unsigned object, const Message& action);
  void decided(unsigned asker, unsigned object, const Message& answer);
  void saw_absent(unsigned object, const char* where);
  void set_absent(unsigned object);
  void join(unsigned node);
  bool leaves(unsigned node) const noexcept {
    return node >= config_.joins && node < config_.joins + config_.leaves;
  }
  bool may_leave(unsigned node) const;
  void leave(unsigned node);
  void kill(unsigned node);
  void kill_object(unsigned dead, unsigned object);
  void leave_home(unsigned node, unsigned object);
  void count_survivors(unsigned object);
  bool is_wanted(unsigned object) const;
  bool is_being_removed(unsigned object) const;
  bool all_in_view() const { return all_in(epoch_); }
  bool all_in(unsigned epoch) const;
  bool rebuilt() const;
  void enter_view(unsigned node, unsigned epoch);
  void removal_done(unsigned asker, unsigned object);
  void make_members();
  void drop_stale();
  void check_always();
  void check_rest_of(unsigned object);
  std::deque<Parcel>& channel(unsigned from, unsigned to, unsigned object) {
    return channels_[(from * config_.nodes + to) * config_.objects + object];
  }
  const std::deque<Parcel>& channel(unsigned from, unsigned to, unsigned object) const {
    return channels_[(from * config_.nodes + to) * config_.objects + object];
  }
  bool is_absent(unsigned object, unsigned value) const {
    return (ghosts_[object].absent >> value & 1) != 0;
  }
  std::uint8_t new_value(unsigned object, unsigned writer, bool absent);
  void wrong(std::string text) {
    if (error_.empty()) error_ = std::move(text);
  }
  void say(const std::string& text) {
    if (narrate) narrative += "      " + text + "\n";
  }

  Config config_;
  std::array<Node, kNodes> nodes_;
  std::vector<std::deque<Parcel>> channels_;
  std::array<Ghost, kObjects> ghosts_;
  std::array<cluster::NodeSet, kNodes + 2> members_;  // By epoch.
  std::uint8_t epoch_ = 1;                            // Of the view that is agreed.
  std::uint8_t kills_ = 0;
  std::uint8_t joins_ = 0;
  std::uint8_t issued_ = 0;
  std::string error_;
};

const char* name_of(Mutant mutant);
std::string describe(const Message& message);

}  // namespace krg::kddm::check
