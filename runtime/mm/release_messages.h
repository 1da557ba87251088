// release_messages.h: what krgds say to each other about regions of release consistency.
//
// Model    wire messages. Pages and diffs travel beside them, as bulk data.
// Threads  values.
// Blocks   never.
// Source   docs/design/mm.md, "Release consistency"
#pragma once

#include <cstdint>
#include <vector>

#include "krg/mm/notices.h"
#include "krg/mm_calls/region_info.h"
#include "krg/wire/codec.h"
#include "krg/wire/service.h"

namespace krg::mm {

// What pages are now, at their home. With the reply come those that are not `untouched` or `lost`,
// in order.
struct FetchPages {
  static constexpr ServiceId kId{0x82};
  static constexpr const char* kName = "mm.fetch_pages";
  static constexpr std::size_t kMost = 64;
  struct Request {
    kddm::SetId set;
    std::vector<Page> pages;
    static void wire_fields(auto& m, auto&& visit) { visit(m.set, m.pages); }
  };
  struct Reply {
    std::uint64_t untouched = 0;  // Bit i: page i of the request is zeros.
    std::uint64_t lost = 0;       // Every copy died with its node.
    static void wire_fields(auto& m, auto&& visit) { visit(m.untouched, m.lost); }
  };
};

// Diffs come with the request; they are in the pages when the reply comes.
struct ApplyDiffs {
  static constexpr ServiceId kId{0x83};
  static constexpr const char* kName = "mm.apply_diffs";
  // Of one message; what is more goes in several, one after the other.
  static constexpr std::size_t kBytes = std::size_t{1} << 20;
  struct Request {
    kddm::SetId set;
    static void wire_fields(auto& m, auto&& visit) { visit(m.set); }
  };
  struct Reply {
    std::vector<Page> lost;  // Every copy died with its node.
    static void wire_fields(auto& m, auto&& visit) { visit(m.lost); }
  };
};

// A node's release: its diffs are in these pages.
struct PostNotices {
  static constexpr ServiceId kId{0x84};
  static constexpr const char* kName = "mm.post_notices";
  struct Request {
    kddm::SetId set;
    NodeId node = kNoNode;
    std::vector<Stretch> runs;
    static void wire_fields(auto& m, auto&& visit) { visit(m.set, m.node, m.runs); }
  };
  using Reply = wire::Empty;
};

// A node's acquire.
struct ReadNotices {
  static constexpr ServiceId kId{0x85};
  static constexpr const char* kName = "mm.read_notices";
  struct Request {
    kddm::SetId set;
    NodeId node = kNoNode;
    Heard heard;
    static void wire_fields(auto& m, auto&& visit) { visit(m.set, m.node, m.heard); }
  };
  struct Reply {
    Heard now;
    bool all = false;
    std::vector<Stretch> runs;
    static void wire_fields(auto& m, auto&& visit) { visit(m.now, m.all, m.runs); }
  };
};

// A lock goes from this node to another: what was written here is released when the reply comes.
struct Flush {
  static constexpr ServiceId kId{0x87};
  static constexpr const char* kName = "mm.flush";
  using Request = wire::Empty;
  using Reply = wire::Empty;
};

}  // namespace krg::mm
