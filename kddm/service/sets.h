// sets.h: the two sets that every cluster has, and the message that ends a set.
//
// Model    what sets there are is itself an object each, in a set of three copies: its id is the
//          set's id, its bytes the set's options. Names are objects of a second such set, found by
//          the hash of the name; each holds all names of that hash.
// Threads  values.
// Blocks   never.
// Source   docs/design/kddm.md, "Sets and names"
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "krg/store/ids.h"
#include "krg/store/set_options.h"
#include "krg/wire/codec.h"
#include "krg/wire/service.h"

namespace krg::kddm {

inline constexpr SetId kSets{1};
inline constexpr SetId kNames{2};

constexpr bool is_directory(SetId set) noexcept { return set == kSets || set == kNames; }
SetOptions directory_options();
ObjectId object_of(std::string_view name) noexcept;

struct Names {
  std::vector<std::pair<std::string, SetId>> entries;

  // kNoSet: there is none.
  SetId find(std::string_view name) const noexcept;
  static void wire_fields(auto& m, auto&& visit) { visit(m.entries); }
};

struct DropSet {
  static constexpr ServiceId kId{0x11};
  static constexpr const char* kName = "kddm.drop_set";
  struct Request {
    SetId set;
    static void wire_fields(auto& m, auto&& visit) { visit(m.set); }
  };
  using Reply = wire::Empty;
};

}  // namespace krg::kddm
