// mm_calls/calls.h: what a task asks of its krgd about regions.
//
// Model    services of the gate, all over the control socket: descriptors travel with them.
// Threads  values.
// Blocks   never.
// Source   docs/design/mm.md, "Tasks"
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "krg/mm_calls/region_info.h"
#include "krg/wire/codec.h"
#include "krg/wire/service.h"

namespace krg::mm {

namespace calls {

// Makes a region. Address 0: one that no other region has.
struct Create {
  static constexpr ServiceId kId{0x60};
  static constexpr const char* kName = "mm.create";
  struct Request {
    std::string name;
    std::uint64_t bytes = 0;
    std::uint64_t address = 0;
    std::uint64_t capacity = 0;  // 0: no more than `bytes`.
    Placement placement = Placement::first_touch;
    NodeId home = kNoNode;
    Consistency consistency = Consistency::sequential;
    bool hidden = false;  // Nobody finds it who does not ask for a hidden one, until Show.
    std::uint32_t copies = 1;
    bool stays = false;
    static void wire_fields(auto& m, auto&& visit) {
      visit(m.name, m.bytes, m.address, m.capacity, m.placement, m.home, m.consistency, m.hidden,
            m.copies, m.stays);
    }
  };
  using Reply = RegionInfo;
};

// The region of that name. With the reply comes the memory to be mapped.
struct Find {
  static constexpr ServiceId kId{0x61};
  static constexpr const char* kName = "mm.find";
  struct Request {
    std::string name;
    bool hidden = false;
    static void wire_fields(auto& m, auto&& visit) { visit(m.name, m.hidden); }
  };
  struct Reply {
    RegionInfo info;
    RegionState state;
    static void wire_fields(auto& m, auto&& visit) { visit(m.info, m.state); }
  };
};

// The task has mapped it at `address`; with the request comes the userfaultfd that watches there.
struct Attach {
  static constexpr ServiceId kId{0x62};
  static constexpr const char* kName = "mm.attach";
  struct Request {
    kddm::SetId set;
    std::uint64_t address = 0;
    bool read_only = false;
    static void wire_fields(auto& m, auto&& visit) { visit(m.set, m.address, m.read_only); }
  };
  using Reply = RegionState;  // From now on Watch tells of changes.
};

struct Detach {
  static constexpr ServiceId kId{0x63};
  static constexpr const char* kName = "mm.detach";
  struct Request {
    kddm::SetId set;
    std::uint64_t address = 0;
    static void wire_fields(auto& m, auto&& visit) { visit(m.set, m.address); }
  };
  using Reply = wire::Empty;
};

// On all nodes: who touches it from now on gets SIGBUS.
struct Destroy {
  static constexpr ServiceId kId{0x64};
  static constexpr const char* kName = "mm.destroy";
  using Request = Find::Request;
  using Reply = wire::Empty;
};

// Pages are brought to this node, and mapped where the task has attached the region.
struct Bring {
  static constexpr ServiceId kId{0x65};
  static constexpr const char* kName = "mm.bring";
  static constexpr std::uint64_t kMost = 1 << 14;  // Pages of one call.
  struct Request {
    kddm::SetId set;
    std::uint64_t address = 0;
    std::uint64_t first = 0;
    std::uint64_t count = 0;
    bool write = false;
    bool wait = true;  // Else the answer comes when they have been asked for.
    static void wire_fields(auto& m, auto&& visit) {
      visit(m.set, m.address, m.first, m.count, m.write, m.wait);
    }
  };
  using Reply = wire::Empty;
};

// Which pages, of the calls below.
struct PageRange {
  kddm::SetId set;
  std::uint64_t first = 0;
  std::uint64_t count = 0;
  static void wire_fields(auto& m, auto&& visit) { visit(m.set, m.first, m.count); }
};

// This node gives up what it has of them; what only it has goes to another.
struct GiveUp {
  static constexpr ServiceId kId{0x66};
  static constexpr const char* kName = "mm.give_up";
  using Request = PageRange;
  using Reply = wire::Empty;
};

// Every node on which tasks have attached the region gets copies to read.
struct Spread {
  static constexpr ServiceId kId{0x67};
  static constexpr const char* kName = "mm.spread";
  using Request = PageRange;
  using Reply = wire::Empty;
};

// What this node's tasks have written of the region is on as many nodes as its copies say.
struct Sync {
  static constexpr ServiceId kId{0x8c};
  static constexpr const char* kName = "mm.sync";
  struct Request {
    kddm::SetId set;
    static void wire_fields(auto& m, auto&& visit) { visit(m.set); }
  };
  using Reply = wire::Empty;
};

// On all nodes, when it returns.
struct Change {
  static constexpr ServiceId kId{0x68};
  static constexpr const char* kName = "mm.change";
  enum class Rights : std::uint8_t { keep, read_write, read_only };
  struct Request {
    kddm::SetId set;
    std::uint64_t bytes = 0;  // 0: keep.
    Rights rights = Rights::keep;
    std::uint64_t first = 0;  // Of which pages; count 0: of all.
    std::uint64_t count = 0;
    static void wire_fields(auto& m, auto&& visit) {
      visit(m.set, m.bytes, m.rights, m.first, m.count);
    }
  };
  using Reply = RegionState;
};

// Answered as soon as any region that the calling process has attached was changed after `seen`.
struct Watch {
  static constexpr ServiceId kId{0x69};
  static constexpr const char* kName = "mm.watch";
  struct Request {
    std::uint64_t seen = 0;  // The last answer's; 0: none yet.
    static void wire_fields(auto& m, auto&& visit) { visit(m.seen); }
  };
  struct Changed {
    kddm::SetId set;
    RegionState state;
    static void wire_fields(auto& m, auto&& visit) { visit(m.set, m.state); }
  };
  struct Reply {
    std::uint64_t seen = 0;
    std::vector<Changed> regions;
    static void wire_fields(auto& m, auto&& visit) { visit(m.seen, m.regions); }
  };
};

// Regions of release consistency that the calling process has attached.
struct Fenced {
  static constexpr std::size_t kMost = 256;
  std::vector<kddm::SetId> sets;
  static void wire_fields(auto& m, auto&& visit) { visit(m.sets); }
};

// What this node's tasks have written is at the pages' homes, and known there, when it returns.
struct Release {
  static constexpr ServiceId kId{0x80};
  static constexpr const char* kName = "mm.release";
  using Request = Fenced;
  using Reply = wire::Empty;
};

// What others have released before it is seen by this node's tasks when it returns.
struct Acquire {
  static constexpr ServiceId kId{0x81};
  static constexpr const char* kName = "mm.acquire";
  using Request = Fenced;
  using Reply = wire::Empty;
};

// What was written on node `from` is released, and with all that others have released it is seen by
// this node's tasks when it returns; of all regions of release consistency. kNoNode, or a node that
// is gone: only what was released. Without `acquires` it only says which node this is.
struct TakeOver {
  static constexpr ServiceId kId{0x86};
  static constexpr const char* kName = "mm.take_over";
  struct Request {
    NodeId from = kNoNode;
    bool acquires = false;
    static void wire_fields(auto& m, auto&& visit) { visit(m.from, m.acquires); }
  };
  struct Reply {
    NodeId node = kNoNode;
    static void wire_fields(auto& m, auto&& visit) { visit(m.node); }
  };
};

}  // namespace calls
}  // namespace krg::mm
