// name_spaces.h: what name spaces there are, and the message that empties one.
//
// Model    all of them are in one object of a set of three copies: they are few, and seldom change.
//          An id is given once. The default one is in no list, and always there.
// Threads  values.
// Blocks   never.
// Source   Kerrighed kddm (kddm_ns.c); docs/design/kddm.md, "Sets and names"
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "krg/base/ids.h"
#include "krg/store/ids.h"
#include "krg/wire/codec.h"
#include "krg/wire/service.h"

namespace krg::kddm {

struct NameSpaces {
  static constexpr std::size_t kMax = 1024;
  struct Entry {
    NameSpaceId id;
    std::string name;
    bool ends = false;  // Nothing comes into it any more.
    static void wire_fields(auto& m, auto&& visit) { visit(m.id, m.name, m.ends); }
  };

  std::uint32_t last = 0;  // Id that was given.
  std::vector<Entry> entries;

  // nullptr: there is none.
  Entry* find(std::string_view name) noexcept;
  static void wire_fields(auto& m, auto&& visit) { visit(m.last, m.entries); }
};

// To every member: end the sets and names of it whose home you are.
struct EmptyNameSpace {
  static constexpr ServiceId kId{0x16};
  static constexpr const char* kName = "kddm.empty_name_space";
  struct Request {
    NameSpaceId id;
    std::uint32_t patience_ms = 0;
    static void wire_fields(auto& m, auto&& visit) { visit(m.id, m.patience_ms); }
  };
  struct Reply {
    Epoch epoch;              // In which the node has looked.
    std::uint64_t ended = 0;  // Sets, and objects with names.
    static void wire_fields(auto& m, auto&& visit) { visit(m.epoch, m.ended); }
  };
};

}  // namespace krg::kddm
