// What others do for a node that leaves: from their answer on they give it nothing that is to stay.
//
// A flush pushes the only copy to some other node, and a sync counts the copies that it makes.
// Either must not choose a node that has said that it holds nothing, and is gone before it could
// give that on. Which node it is, the object's home says, and it can not know; so who flushes or
// syncs waits until the leave has happened, or was given up. Model: owned by the reactor's thread.
#pragma once

#include <compare>
#include <cstdint>

#include "krg/base/deadline.h"
#include "krg/base/ids.h"
#include "krg/kddm/options.h"
#include "krg/protocol/message.h"
#include "krg/reactor/co.h"
#include "krg/store/ids.h"
#include "krg/wire/codec.h"

namespace krg::kddm {

class Service;
struct Set;

// The sender leaves, within so long; 0: it does not after all.
struct Leaves {
  static constexpr ServiceId kId{0x15};
  static constexpr const char* kName = "kddm.leaves";
  struct Request {
    std::uint64_t limit_ms = 0;
    static void wire_fields(auto& m, auto&& visit) { visit(m.limit_ms); }
  };
  using Reply = wire::Empty;
};

// What a node that leaves has to give away, and the operation that does it.
struct ToGive {
  Set* set;
  ObjectId object;
  Kind by;
  std::uint64_t version = 0;
  bool alone = false;  // No other node has this version.
  auto operator<=>(const ToGive&) const = default;
};

class Drain {
 public:
  explicit Drain(Service& service) noexcept : service_(service) {}

  // A flush or sync of this node that is under way.
  class Moving {
   public:
    explicit Moving(Drain& drain) noexcept : drain_(drain) { ++drain_.moving_; }
    Moving(const Moving&) = delete;
    Moving& operator=(const Moving&) = delete;
    ~Moving() { --drain_.moving_; }

   private:
    Drain& drain_;
  };

  // Whether some other node is about to leave.
  bool any_leaves() const noexcept;
  // Returns when a flush or sync may begin. Errors  timed_out
  Co<Status> may_move(Deadline deadline);
  // Another node leaves: returns when nothing of this node's is under way that may go there.
  // Errors  timed_out
  Co<Status> others_leave(Duration limit);
  // Others know of all that has its home here: the heir, and who follows when this node is gone.
  // Errors  timed_out
  Co<Status> all_known(Deadline deadline);
  // The view is another one, or the leave was given up.
  void over() noexcept { until_ = {}; }

 private:
  // Looks again, less and less often. Errors  timed_out
  Co<Status> until(Deadline deadline, bool (*done)(Drain&));

  Service& service_;
  TimePoint until_{};
  unsigned moving_ = 0;
};

}  // namespace krg::kddm
