// Writes down what all clients of a run do and see, object by object, and which lives failed when.
#pragma once

#include <utility>
#include <vector>

#include "history.h"

namespace krg::kddm_sim {

// An op that was begun.
struct OpRef {
  std::size_t object = 0;
  std::size_t op = 0;
};

class Recorder {
 public:
  // The number of the object whose history begins.
  // Of all objects that are added.
  void copies_move(bool move) noexcept { copies_move_ = move; }
  std::size_t add_object(unsigned copies, bool touched_at_home);
  Value new_value() { return ++values_; }

  // --- Lives
  LifeId begin_life();
  // It died, or may not serve any more: its leases are void.
  void end_life(LifeId life);
  bool ended(LifeId life) const { return lives_[life].ended; }
  // From here on what `life` had alone may be gone.
  void fail(const std::vector<LifeId>& lives);
  // It gives what it has to others, to leave; it does not leave after all. What it has asked for
  // may still be done then, in the view in which that was.
  void drains(LifeId life);
  void stays(LifeId life);
  // Every object has been put together in the present view; what failed is got over.
  void settled();
  bool is_settled() const { return settled_; }
  // A view begins somewhere: its number. When it has begun everywhere, what had been asked for and
  // had ended before has no effect any more.
  unsigned view_begins(std::size_t members);
  void view_entered(unsigned number);
  // No request of `life` about the object is under way: what it had asked for has no effect any
  // more.
  void nothing_under_way(std::size_t object, LifeId life);
  // Whether an op on the object has ended that may still take effect.
  bool any_unknown(std::size_t object) const { return !objects_[object].unknown.empty(); }
  std::size_t objects() const { return objects_.size(); }
  std::uint64_t failures() const { return failed_lives_; }
  // Whether so many lives failed together that it may be forgotten what existed: home and heir of
  // an object, or all that there were when everything was last put together.
  bool may_have_forgotten() const { return may_have_forgotten_; }

  // --- Operations
  OpRef begin(OpKind kind, std::size_t object, LifeId life, bool touch = false);
  void leased(OpRef ref, Value seen);
  void released(OpRef ref);
  // The bytes were changed under the lease, which ends now.
  void put(OpRef lease, Value wrote);
  void end(OpRef ref, Outcome outcome);
  void repeated(OpRef ref) { op(ref).repeated = true; }
  std::size_t ops() const;
  std::size_t open_ops() const { return open_ops_; }

  // The histories, ready to be judged.
  std::vector<History> histories() const;

 private:
  struct Object {
    History history;
    std::vector<std::size_t> leases;  // Held now.
    // Ended, but perhaps still to take effect; and the last view that had begun by then.
    std::vector<std::pair<std::size_t, unsigned>> unknown;
  };
  struct Life {
    bool ended = false;
  };
  struct Draining {
    Left left;
    bool stays = false;
    unsigned view = 0;  // The last that had begun when it was known to stay.
  };

  Op& op(OpRef ref) { return objects_[ref.object].history.ops[ref.op]; }

  std::vector<Object> objects_;
  std::vector<Life> lives_;
  std::vector<Failure> failures_;
  std::vector<Membership> members_;
  std::vector<Draining> drains_;
  unsigned views_ = 0;
  unsigned entered_ = 0;  // The last that had begun everywhere.
  bool settled_ = false;
  std::size_t open_failures_ = 0;
  std::uint64_t failed_lives_ = 0;
  Step settled_at_ = 0;
  std::size_t settled_members_ = 0;  // When last settled.
  bool may_have_forgotten_ = false;
  std::size_t open_ops_ = 0;
  Step step_ = 0;
  Value values_ = 0;
  bool copies_move_ = false;
};

}  // namespace krg::kddm_sim
