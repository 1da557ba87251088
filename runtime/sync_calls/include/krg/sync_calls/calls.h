// sync_calls/calls.h: what a task asks of its krgd to wait for others, and to wake them.
//
// Model    services of the gate, through a task's lanes. A key is a word of a shared object. Who
//          waits first takes a ticket, then looks at the state that it waits for, and then waits
//          with the ticket: a wake-up after the ticket was taken is not missed.
// Threads  values.
// Blocks   never.
// Source   docs/design/sync.md, "Waiting"
#pragma once

#include <compare>
#include <cstdint>
#include <vector>

#include "krg/base/ids.h"
#include "krg/store/ids.h"
#include "krg/sync_calls/reduce.h"
#include "krg/wire/codec.h"
#include "krg/wire/service.h"

namespace krg::sync {

// What is waited for. Its queue is at the home of the object.
struct Key {
  kddm::SetId set;
  kddm::ObjectId object;
  std::uint32_t word = 0;
  auto operator<=>(const Key&) const = default;
  static void wire_fields(auto& m, auto&& visit) { visit(m.set, m.object, m.word); }
};

// An instant in the history of a home's wake-ups. One of another view always passes.
struct Ticket {
  Epoch epoch;
  std::uint64_t count = 0;
  bool operator==(const Ticket&) const = default;
  static void wire_fields(auto& m, auto&& visit) { visit(m.epoch, m.count); }
};

inline constexpr std::uint32_t kAll = 0xffffffff;  // Of a wake-up: all who wait.
inline constexpr std::uint32_t kAnyBit =
    0xffffffff;  // Who wakes and who waits have a bit in common.

namespace calls {

struct Prepare {
  static constexpr ServiceId kId{0x78};
  static constexpr const char* kName = "sync.prepare";
  struct Request {
    Key key;
    static void wire_fields(auto& m, auto&& visit) { visit(m.key); }
  };
  struct Reply {
    Ticket ticket;
    static void wire_fields(auto& m, auto&& visit) { visit(m.ticket); }
  };
};

// Answered when the key has been woken since the ticket was taken, perhaps also without a reason;
// by the call's deadline with timed_out.
struct Wait {
  static constexpr ServiceId kId{0x79};
  static constexpr const char* kName = "sync.wait";
  struct Request {
    Key key;
    Ticket ticket;
    std::uint32_t bits = kAnyBit;
    static void wire_fields(auto& m, auto&& visit) { visit(m.key, m.ticket, m.bits); }
  };
  using Reply = wire::Empty;
};

// Wakes `count` of those who wait, the first to come first.
struct Wake {
  static constexpr ServiceId kId{0x7a};
  static constexpr const char* kName = "sync.wake";
  struct Request {
    Key key;
    std::uint32_t count = 1;
    std::uint32_t bits = kAnyBit;
    static void wire_fields(auto& m, auto&& visit) { visit(m.key, m.count, m.bits); }
  };
  struct Reply {
    std::uint32_t waited = 0;  // How many of the queue are being woken.
    static void wire_fields(auto& m, auto&& visit) { visit(m.waited); }
  };
};

// Answered when `parties` tasks have come, of all nodes, with what their words are together; by the
// call's deadline with timed_out: then this one has not come.
struct Meet {
  static constexpr ServiceId kId{0x7b};
  static constexpr const char* kName = "sync.meet";
  struct Request {
    Key key;
    std::uint32_t parties = 0;
    Reduce reduce = Reduce::none;
    std::vector<std::uint64_t> words;
    static void wire_fields(auto& m, auto&& visit) { visit(m.key, m.parties, m.reduce, m.words); }
  };
  struct Reply {
    bool last = false;  // One of all is told so.
    std::vector<std::uint64_t> words;
    static void wire_fields(auto& m, auto&& visit) { visit(m.last, m.words); }
  };
};

}  // namespace calls
}  // namespace krg::sync
