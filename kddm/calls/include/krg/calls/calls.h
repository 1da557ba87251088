// calls/calls.h: what a task asks of its krgd about shared objects.
//
// Model    services of the gate. A task attaches once, over the control socket, and gets the
//          descriptors of the node's store and of its bell; the others go through its lanes. Each
//          ends by the deadline of its call.
// Threads  values.
// Blocks   never.
// Source   docs/design/kddm.md, "Tasks"
#pragma once

#include <cstdint>
#include <string>

#include "krg/error/error.h"
#include "krg/share/geometry.h"
#include "krg/share/types.h"
#include "krg/store/set_options.h"
#include "krg/wire/codec.h"
#include "krg/wire/service.h"

namespace krg::kddm::calls {

// Descriptors come with the reply: the directory, the shared segment, an eventfd that rings krgd.
struct Attach {
  static constexpr ServiceId kId{0x50};
  static constexpr const char* kName = "kddm.attach";
  static constexpr std::size_t kFds = 3;
  using Request = wire::Empty;
  struct Reply {
    Geometry geometry;
    TaskIndex task;
    static void wire_fields(auto& m, auto&& visit) { visit(m.geometry, m.task); }
  };
};

enum class Verb : std::uint8_t { get, grab, flush, sync, remove, prefetch };

// get and grab: the reply holds a grant; an empty one: another task has been granted what this one
// wanted to share.
struct Use {
  static constexpr ServiceId kId{0x51};
  static constexpr const char* kName = "kddm.use";
  struct Request {
    Verb verb = Verb::get;
    SetId set;
    ObjectId object;
    bool try_only = false;
    bool no_touch = false;
    bool manual_touch = false;      // grab
    std::uint64_t touch_bytes = 0;  // grab
    NodeId to = kNoNode;            // flush
    bool share = false;             // grab: see kddm::Use
    std::int32_t thread = 0;        // Of the task, as krg::this_thread(): who waits.
    static void wire_fields(auto& m, auto&& visit) {
      visit(m.verb, m.set, m.object, m.try_only, m.no_touch, m.manual_touch, m.touch_bytes, m.to,
            m.share, m.thread);
    }
  };
  struct Reply {
    Grant grant;
    static void wire_fields(auto& m, auto&& visit) { visit(m.grant); }
  };
};

// Brings copies of `count` objects to this node, from `first` on, for reading or for writing, and
// holds none of them. The error is of the first that could not be brought; the others are.
struct Bring {
  static constexpr ServiceId kId{0x57};
  static constexpr const char* kName = "kddm.bring";
  static constexpr std::uint64_t kMax = 4096;  // Objects of one call.
  struct Request {
    bool for_write = false;
    SetId set;
    ObjectId first;
    std::uint64_t count = 0;
    bool try_only = false;
    bool no_touch = false;
    bool manual_touch = false;  // For writing.
    static void wire_fields(auto& m, auto&& visit) {
      visit(m.for_write, m.set, m.first, m.count, m.try_only, m.no_touch, m.manual_touch);
    }
  };
  using Reply = wire::Empty;
};

// The task's write lease at `entry` of its table goes, and comes back with another size.
struct Resize {
  static constexpr ServiceId kId{0x56};
  static constexpr const char* kName = "kddm.resize";
  struct Request {
    SlotId slot;
    std::uint32_t entry = 0;
    std::uint64_t size = 0;
    static void wire_fields(auto& m, auto&& visit) { visit(m.slot, m.entry, m.size); }
  };
  struct Reply {
    Grant grant;
    Errc how = Errc::ok;  // Else the object has the size it had.
    static void wire_fields(auto& m, auto&& visit) { visit(m.grant, m.how); }
  };
};

struct Create {
  static constexpr ServiceId kId{0x52};
  static constexpr const char* kName = "kddm.create";
  struct Request {
    SetOptions options;
    SetId wanted = kNoSet;
    static void wire_fields(auto& m, auto&& visit) { visit(m.options, m.wanted); }
  };
  struct Reply {
    SetId set;
    static void wire_fields(auto& m, auto&& visit) { visit(m.set); }
  };
};

struct Describe {
  static constexpr ServiceId kId{0x53};
  static constexpr const char* kName = "kddm.describe";
  struct Request {
    SetId set;
    static void wire_fields(auto& m, auto&& visit) { visit(m.set); }
  };
  struct Reply {
    SetOptions options;
    static void wire_fields(auto& m, auto&& visit) { visit(m.options); }
  };
};

struct Destroy {
  static constexpr ServiceId kId{0x54};
  static constexpr const char* kName = "kddm.destroy";
  using Request = Describe::Request;
  using Reply = wire::Empty;
};

// Writes back all of a set that was written, on all nodes: Kddm::sync(set). Long work; it ends by
// the deadline of the call.
struct SyncSet {
  static constexpr ServiceId kId{0x58};
  static constexpr const char* kName = "kddm.sync_set";
  using Request = Describe::Request;
  using Reply = wire::Empty;
};

enum class NameVerb : std::uint8_t { bind, look_up, unbind };

struct Name {
  static constexpr ServiceId kId{0x55};
  static constexpr const char* kName = "kddm.name";
  struct Request {
    NameVerb verb = NameVerb::look_up;
    std::string name;
    SetId set = kNoSet;  // bind
    NameSpaceId in = kDefaultNameSpace;
    static void wire_fields(auto& m, auto&& visit) { visit(m.verb, m.name, m.set, m.in); }
  };
  struct Reply {
    SetId set = kNoSet;  // look_up
    static void wire_fields(auto& m, auto&& visit) { visit(m.set); }
  };
};

enum class NameSpaceVerb : std::uint8_t { create, find, destroy };

struct NameSpace {
  static constexpr ServiceId kId{0x59};
  static constexpr const char* kName = "kddm.name_space";
  struct Request {
    NameSpaceVerb verb = NameSpaceVerb::find;
    std::string name;                    // create, find
    NameSpaceId id = kDefaultNameSpace;  // destroy
    static void wire_fields(auto& m, auto&& visit) { visit(m.verb, m.name, m.id); }
  };
  struct Reply {
    NameSpaceId id;  // create, find
    static void wire_fields(auto& m, auto&& visit) { visit(m.id); }
  };
};

}  // namespace krg::kddm::calls
