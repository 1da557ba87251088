// messages.h: what nodes say to each other about who waits.
//
// Model    each names the view of its sender; the receiver refuses those of another one as stale.
// Threads  values.
// Blocks   never.
// Source   docs/design/sync.md, "Waiting"
#pragma once

#include <cstdint>
#include <vector>

#include "krg/sync_calls/calls.h"
#include "krg/wire/codec.h"
#include "krg/wire/service.h"

namespace krg::sync {

// --- To the key's home
struct PrepareAt {
  static constexpr ServiceId kId{0x70};
  static constexpr const char* kName = "sync.prepare_at";
  struct Request {
    Epoch epoch;
    static void wire_fields(auto& m, auto&& visit) { visit(m.epoch); }
  };
  using Reply = calls::Prepare::Reply;
};

struct Enter {
  static constexpr ServiceId kId{0x71};
  static constexpr const char* kName = "sync.enter";
  struct Request {
    Key key;
    Ticket ticket;
    NodeId node;
    std::uint64_t id = 0;
    std::uint32_t bits = kAnyBit;
    static void wire_fields(auto& m, auto&& visit) { visit(m.key, m.ticket, m.node, m.id, m.bits); }
  };
  struct Reply {
    bool entered = false;  // Else it passes.
    static void wire_fields(auto& m, auto&& visit) { visit(m.entered); }
  };
};

struct Leave {
  static constexpr ServiceId kId{0x72};
  static constexpr const char* kName = "sync.leave";
  struct Request {
    Epoch epoch;
    Key key;
    NodeId node;
    std::uint64_t id = 0;
    static void wire_fields(auto& m, auto&& visit) { visit(m.epoch, m.key, m.node, m.id); }
  };
  using Reply = wire::Empty;
};

struct WakeAt {
  static constexpr ServiceId kId{0x73};
  static constexpr const char* kName = "sync.wake_at";
  struct Request {
    Epoch epoch;
    Key key;
    std::uint32_t count = 1;
    std::uint32_t bits = kAnyBit;
    static void wire_fields(auto& m, auto&& visit) { visit(m.epoch, m.key, m.count, m.bits); }
  };
  using Reply = calls::Wake::Reply;
};

// --- From the home to the node of those who wait
struct Woken {
  static constexpr ServiceId kId{0x74};
  static constexpr const char* kName = "sync.woken";
  static constexpr std::size_t kMax = 4096;  // Waiters in one message.
  struct Request {
    Epoch epoch;
    std::vector<std::uint64_t> ids;
    static void wire_fields(auto& m, auto&& visit) { visit(m.epoch, m.ids); }
  };
  struct Reply {
    std::uint32_t taken = 0;
    static void wire_fields(auto& m, auto&& visit) { visit(m.taken); }
  };
};

// --- Meetings: see meetings.h. Both are notices, and the first one is sent again until the second
// has come.
struct Come {
  static constexpr ServiceId kId{0x75};
  static constexpr const char* kName = "sync.come";
  struct Request {
    Epoch epoch;
    Key key;
    NodeId node;
    std::uint64_t round = 0;   // 0: this node has not heard of one, and asks.
    std::uint64_t sent = 0;    // Which of this node's notices of the round it is.
    std::uint64_t before = 0;  // The last one that a home of an earlier view may have taken.
    std::uint32_t count = 0;   // Of the tasks of the node that have come, all together.
    std::uint32_t parties = 0;
    Reduce reduce = Reduce::none;
    bool ask = false;  // To be answered also if the round is not over.
    std::vector<std::uint64_t> words;
    static void wire_fields(auto& m, auto&& visit) {
      visit(m.epoch, m.key, m.node, m.round, m.sent, m.before, m.count, m.parties, m.reduce, m.ask,
            m.words);
    }
  };
  using Reply = wire::Empty;
};

struct Met {
  static constexpr ServiceId kId{0x76};
  static constexpr const char* kName = "sync.met";
  struct Request {
    Epoch epoch;
    Key key;
    std::uint64_t round = 0;  // That is over; else that goes on.
    bool over = false;
    bool last = false;        // The node's notice ended it.
    std::uint64_t sent = 0;   // The notice that was counted, 0: none; or that was taken.
    std::uint32_t count = 0;  // So many of it.
    std::uint64_t done = 0;   // The last round that is over.
    std::vector<std::uint64_t> words;
    static void wire_fields(auto& m, auto&& visit) {
      visit(m.epoch, m.key, m.round, m.over, m.last, m.sent, m.count, m.done, m.words);
    }
  };
  using Reply = wire::Empty;
};

// What a node knows of a meeting, for a home that is new to it.
struct AskMet {
  static constexpr ServiceId kId{0x77};
  static constexpr const char* kName = "sync.ask_met";
  struct Request {
    Epoch epoch;
    Key key;
    static void wire_fields(auto& m, auto&& visit) { visit(m.epoch, m.key); }
  };
  struct Reply {
    std::uint64_t done = 0;
    std::vector<std::uint64_t> words;
    static void wire_fields(auto& m, auto&& visit) { visit(m.done, m.words); }
  };
};

}  // namespace krg::sync
