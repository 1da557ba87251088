// A small cluster as one value: every node's copy and entry of every object, and every message in
// flight. The checker walks from world to world; the truth it checks against is kept beside.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "krg/kddm_protocol/home.h"
#include "krg/kddm_protocol/node.h"
#include "mutants.h"

namespace krg::kddm_protocol::testing {

inline constexpr std::uint32_t kMaxWorldNodes = 3;
inline constexpr std::uint32_t kMaxWorldObjects = 2;
// The newest version of every object in a normalised world: only the distance to it matters.
inline constexpr std::uint64_t kNewest = 100;

struct Bounds {
  std::uint32_t nodes = 2;
  std::uint32_t objects = 1;
  std::uint32_t operations = 2;  // Of all nodes together; put is free.
  std::uint32_t failures = 1;    // At most one.
  bool populated = false;        // The objects exist already: the last node owns, one other reads.
};

struct Object {
  std::array<Entry, kMaxWorldNodes> entries;
  std::array<Copy, kMaxWorldNodes> copies;
  std::array<std::array<std::vector<Message>, kMaxWorldNodes>, kMaxWorldNodes> queues;
  // The truth.
  bool exists = false;
  std::uint64_t newest = kNewest;
  bool may_lose = false;    // The failed node had, or was being given, the only copy.
  bool owner_died = false;  // Read copies are left, if nobody takes them away:
  bool revoked = false;     // a writer, a remove or a flush has begun to.
  bool may_vanish = false;  // The failed node was removing the object.
  NodeBits removing;        // Whose remove the home has begun.
  NodeBits creating;        // Who has made the first bytes and not yet been told so.

  bool may_be_lost() const { return may_lose || (owner_died && revoked); }
};

struct Action {
  enum class Kind : std::uint8_t { deliver, install, fail, operate };
  Kind kind = Kind::deliver;
  std::uint8_t object = 0;
  std::uint8_t node = 0;
  std::uint8_t other = 0;  // deliver: the sender; operate: the LocalOp.
};

std::string describe(const Action& action);

class World {
 public:
  explicit World(const Bounds& bounds);

  // Every step that can be taken here. `progress`: whether one of them is not a new wish or
  // failure.
  std::vector<Action> actions(bool& progress) const;
  // Takes the step. Returns what is wrong now; empty if nothing.
  std::string apply(const Action& action, const Mutant* mutant);
  // What is wrong in a world in which nothing moves any more.
  std::string check_rest() const;

  std::string encode();
  void decode(std::string_view bytes);

 private:
  Place place(std::uint32_t object, std::uint32_t node) const;
  bool alive(std::uint32_t node) const { return node != dead_; }
  void send(Object& object, const Outbox& out);
  void note_sent(Object& object, const Outbox& out, std::string& wrong);
  std::string deliver(const Action& action, const Mutant* mutant);
  std::string operate(const Action& action, const Mutant* mutant);
  void install(std::uint32_t node, const Mutant* mutant);
  void fail(std::uint32_t node);
  std::string finished(Object& object, std::uint32_t node, const Step& step);
  std::string check_object(const Object& object) const;
  std::string check_rest(const Object& object, std::uint32_t index) const;
  template <class Archive>
  void visit(Archive& archive);

  Bounds bounds_;
  std::array<Object, kMaxWorldObjects> objects_;
  std::array<std::uint8_t, kMaxWorldNodes> epochs_ = {1, 1, 1};
  std::uint32_t dead_ = kMaxWorldNodes;
  std::uint32_t operations_left_ = 0;
};

}  // namespace krg::kddm_protocol::testing
