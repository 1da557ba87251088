// room.h: keeps the copies of a node within a limit of bytes.
//
// Model    what would bring bytes here asks first. Above a high mark copies are given up until a
//          low mark is reached: read copies that nobody uses and that others have too, in clock
//          order; then last copies of sets that are written back; then what only this node has goes
//          to a node that has room. What is in use stays, and no other last copy is dropped: so a
//          node may be full, and says no_space. Copies that others send unasked are taken whatever
//          the limit, and given up as the others.
// Threads  owned by the reactor's thread.
// Blocks   never; make() suspends.
// Source   Kerrighed kddm (flush, injection); docs/design/kddm.md, "Room"
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "clock.h"
#include "krg/reactor/co.h"
#include "krg/reactor/event.h"
#include "krg/share/types.h"
#include "krg/wire/codec.h"
#include "krg/wire/service.h"
#include "set.h"

namespace krg::kddm {

class Service;

// How many bytes of copies a node would take from another one, which has so many.
struct AskRoom {
  static constexpr ServiceId kId{0x12};
  static constexpr const char* kName = "kddm.ask_room";
  struct Request {
    std::uint64_t used = 0;
    static void wire_fields(auto& m, auto&& visit) { visit(m.used); }
  };
  struct Reply {
    std::uint64_t bytes = 0;
    static void wire_fields(auto& m, auto&& visit) { visit(m.bytes); }
  };
};

class Room {
 public:
  // What is made may stay for ever, so it stops at the high mark; copies may go on to the limit.
  enum class For { copy, creation };

  Room(Service& service, std::uint64_t limit) noexcept;
  Room(const Room&) = delete;
  Room& operator=(const Room&) = delete;

  // 0: none.
  std::uint64_t limit() const noexcept;
  bool fits(std::uint64_t bytes, For what) const noexcept;
  // Gives copies up until `bytes` fit.
  // Errors  no_space  they do not; timed_out
  Co<Status> make(std::uint64_t bytes, For what, Deadline deadline);
  // Gives copies up, whatever fits. Errors  no_space  none could be; timed_out
  Co<Status> make_some(Deadline deadline);
  // Copies have come: gives some up if that is needed.
  void look() noexcept;
  // What another node may send here that has `used` bytes: up to the high mark, and beyond that
  // what makes the two of them equally full.
  std::uint64_t spare_bytes(std::uint64_t used) const noexcept;

  // Bytes that are on their way here, while it lives.
  class Promise {
   public:
    Promise(Room& room, std::uint64_t bytes) noexcept : Promise(room.promised_, bytes) {}
    Promise(const Promise&) = delete;
    Promise& operator=(const Promise&) = delete;
    ~Promise() { sum_ -= bytes_; }
    Promise(std::uint64_t& sum, std::uint64_t bytes) noexcept : sum_(sum), bytes_(bytes) {
      sum_ += bytes_;
    }

   private:
    std::uint64_t& sum_;
    const std::uint64_t bytes_;
  };

 private:
  std::uint64_t used() const noexcept;
  std::uint64_t high() const noexcept { return limit() / 16 * 15; }
  std::uint64_t low() const noexcept { return limit() / 8 * 7; }
  // Bytes to be freed to come down to the low mark.
  std::uint64_t surplus() const noexcept;
  void begin_round() noexcept;
  Co<void> round();
  Co<void> deal_with(std::uint64_t looks);
  // Each finds what it is to deal with by so many looks.
  Co<void> give_up_copies(std::uint64_t looks);
  // Last copies of sets that are written back.
  Co<void> page_out(std::uint64_t looks);
  Co<void> page_out_one(Victim victim, reactor::WaitGroup& group, std::uint64_t& freed);
  Co<void> move_away(std::uint64_t looks);
  // Flushes all of them, side by side. The bytes that are free now.
  Co<std::uint64_t> flush(Victims victims, std::uint16_t flags, NodeId to);
  Co<void> flush_one(Victim victim, std::uint16_t flags, NodeId to, reactor::WaitGroup& group,
                     std::uint64_t& freed);
  // At most a batch of idle copies. Others have their turn after each step of the clock.
  Co<Victims> find(Prey prey, std::uint64_t looks);
  void pick_in_store(const Prey& prey, Victims& victims);
  NodeId next_peer() noexcept;

  Service& service_;
  const std::uint64_t limit_;
  std::uint64_t promised_ = 0;
  std::uint64_t asked_ = 0;    // By those who wait.
  std::uint64_t freed_ = 0;    // In this round, or in the last one.
  reactor::Event ended_;       // No round is under way.
  TimePoint rest_until_{};     // The last round was in vain: none before.
  TimePoint thorough_from_{};  // Looking at all copies before would be in vain again.
  Clock clock_;
  NodeId hand_peer_ = kNoNode;
  std::vector<SlotId> slots_;
};

// Whether the home refuses to let `node`'s copy go, which asks to give it up only if it is not
// needed: others have enough of them.
bool is_needed(const Home& home, NodeId node, unsigned copies_wanted) noexcept;

}  // namespace krg::kddm
