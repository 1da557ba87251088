// queues.h: who waits for which key, at the home of the keys.
//
// Model    an event count: tickets are instants of one counter, which every wake-up moves on. Of a
//          key without waiters nothing is kept but the instant of the last wake-up, in a table of
//          fixed size; keys that share a place in it may pass once without a reason. A new view
//          empties the queues: all waiters are told so by their own nodes.
// Threads  the reactor's thread.
// Blocks   never.
// Source   docs/design/sync.md, "Waiting"
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <unordered_map>
#include <vector>

#include "krg/sync_calls/calls.h"

namespace krg::sync {

struct Waiter {
  NodeId node;
  std::uint64_t id = 0;  // The node's own name for it, never used twice.
  std::uint32_t bits = kAnyBit;
};

class Queues {
 public:
  // Tickets of other views pass from now on.
  void begin(Epoch epoch);
  Epoch epoch() const noexcept { return now_.epoch; }

  Ticket prepare() const noexcept { return now_; }
  // False: it passes, for the key was woken after the ticket, or may have been.
  // Cost  amortized constant
  bool enter(const Key& key, const Ticket& ticket, const Waiter& waiter);
  // Nothing if it is not there. Cost: the length of the key's queue.
  void leave(const Key& key, NodeId node, std::uint64_t id);
  // Wakes up to `count` who share a bit; they are in the queue no more.
  // Cost  the length of the queue up to the last of them
  std::vector<Waiter> wake(const Key& key, std::uint32_t count, std::uint32_t bits);
  // In place of waiters who were woken and did not take it.
  std::vector<Waiter> wake_others(const Key& key, std::uint32_t count, std::uint32_t bits);

  std::size_t keys() const noexcept { return queues_.size(); }
  std::size_t waiters(const Key& key) const noexcept;

 private:
  struct Hash {
    std::size_t operator()(const Key& key) const noexcept;
  };
  static constexpr std::size_t kMarks = 4096;

  std::uint64_t& mark_of(const Key& key) noexcept { return marks_[Hash{}(key) % kMarks]; }

  Ticket now_;
  std::array<std::uint64_t, kMarks> marks_{};  // When a key with this hash was woken last.
  std::unordered_map<Key, std::deque<Waiter>, Hash> queues_;  // None is empty.
};

}  // namespace krg::sync
