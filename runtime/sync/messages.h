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

}  // namespace krg::sync
