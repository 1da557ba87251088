// mm_calls/calls.h: what a task asks of its krgd about regions.
//
// Model    services of the gate, all over the control socket: descriptors travel with them.
// Threads  values.
// Blocks   never.
// Source   docs/design/mm.md, "Tasks"
#pragma once

#include <cstdint>
#include <string>

#include "krg/store/ids.h"
#include "krg/wire/codec.h"
#include "krg/wire/service.h"

namespace krg::mm {

inline constexpr std::uint64_t kPageBytes = 4096;
inline constexpr std::uint64_t kRegionBytesMax = std::uint64_t{1} << 40;
inline constexpr std::size_t kRegionNameMax = 200;

// The bytes of the pages that `bytes` need.
constexpr std::uint64_t whole_pages(std::uint64_t bytes) noexcept {
  return (bytes + kPageBytes - 1) / kPageBytes * kPageBytes;
}

// What every node and every task knows of a region.
struct RegionInfo {
  kddm::SetId set;
  std::uint64_t address = 0;  // Where all map it, if they do not wish otherwise.
  std::uint64_t bytes = 0;
  std::string name;
  static void wire_fields(auto& m, auto&& visit) { visit(m.set, m.address, m.bytes, m.name); }
};

namespace calls {

// Makes a region. Address 0: one that no other region has.
struct Create {
  static constexpr ServiceId kId{0x60};
  static constexpr const char* kName = "mm.create";
  struct Request {
    std::string name;
    std::uint64_t bytes = 0;
    std::uint64_t address = 0;
    static void wire_fields(auto& m, auto&& visit) { visit(m.name, m.bytes, m.address); }
  };
  using Reply = RegionInfo;
};

// The region of that name. With the reply comes the memory to be mapped.
struct Find {
  static constexpr ServiceId kId{0x61};
  static constexpr const char* kName = "mm.find";
  struct Request {
    std::string name;
    static void wire_fields(auto& m, auto&& visit) { visit(m.name); }
  };
  using Reply = RegionInfo;
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
  using Reply = wire::Empty;
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

}  // namespace calls
}  // namespace krg::mm
