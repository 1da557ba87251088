// sets.h: the sets that every cluster has, and the message that ends a set.
//
// Model    what sets there are is itself an object each, in a set of three copies: its id is the
//          set's id, its bytes the set's options. Names are objects of a second such set, found by
//          the hash of the name; each holds all names of that hash. A third one has the name spaces
//          (name_spaces.h).
// Threads  values.
// Blocks   never.
// Source   docs/design/kddm.md, "Sets and names"
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "krg/error/result.h"
#include "krg/kddm/lease.h"
#include "krg/store/ids.h"
#include "krg/store/set_options.h"
#include "krg/wire/codec.h"
#include "krg/wire/service.h"

namespace krg::kddm {

inline constexpr SetId kSets{1};
inline constexpr SetId kNames{2};
inline constexpr SetId kNameSpaces{3};

constexpr bool is_directory(SetId set) noexcept {
  return set == kSets || set == kNames || set == kNameSpaces;
}
SetOptions directory_options();
ObjectId object_of(NameSpaceId name_space, std::string_view name) noexcept;
// Errors  invalid_argument
Status check_name(const std::string& name);

struct Names {
  struct Entry {
    NameSpaceId name_space;
    std::string name;
    SetId set;
    bool is(NameSpaceId of, std::string_view called) const noexcept {
      return name_space == of && name == called;
    }
    static void wire_fields(auto& m, auto&& visit) { visit(m.name_space, m.name, m.set); }
  };

  std::vector<Entry> entries;

  // kNoSet: there is none.
  SetId find(NameSpaceId name_space, std::string_view name) const noexcept;
  static void wire_fields(auto& m, auto&& visit) { visit(m.entries); }
};

// What an object of these sets holds.
Result<Names> names_in(const Lease& lease);
template <class T>
Status write_encoded(Lease& lease, const T& value) {
  const std::vector<std::byte> bytes = wire::encode(value);
  KRG_TRY(lease.resize(bytes.size()));
  std::ranges::copy(bytes, lease.writable().begin());
  return {};
}

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
