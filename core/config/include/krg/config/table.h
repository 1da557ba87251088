// config/table.h: what a module can be told, declared once beside the struct that holds it.
//
// Model    the module writes
//            struct Options {
//              Provider provider;
//              Duration lease;
//              static const config::Table<Options>& table();
//            };
//            const config::Table<Options>& Options::table() {
//              static const config::Table<Options> table("transport", {
//                {"provider", &Options::provider, "auto", "", "Which network library carries
//                messages.",
//                 {.choices = {"auto", "ucx", "ofi"}, .variable = "KRG_TRANSPORT"}},
//                {"lease", &Options::lease, "5s", "ms", "How long a silent peer stays trusted.",
//                 {.min = "1ms", .max = "1h"}},
//              });
//              return table;
//            }
//          and gets KRG_TRANSPORT, KRG_TRANSPORT_LEASE, the keys transport.provider and
//          transport.lease in krg.toml, the lines of `krgadm config` and of krg-environment(7). The
//          member's type decides what is accepted: bool, an integer, Duration, Size, Path,
//          std::string, or an enum whose values 0, 1, ... are the choices.
// Threads  immutable.
// Blocks   never.
// Source   krg-environment(7)
#pragma once

#include <functional>
#include <initializer_list>
#include <limits>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "krg/base/assert.h"
#include "krg/base/deadline.h"
#include "krg/config/entry.h"

namespace krg::config {

// What a field may be beyond its type; all optional. `min` and `max` are written as a user would.
struct Rules {
  std::string min = {};
  std::string max = {};
  std::vector<std::string> choices = {};
  std::string variable = {};  // Instead of KRG_<MODULE>_<NAME>.
};

namespace detail {

template <class T>
constexpr Kind kind_of(bool has_choices) {
  if constexpr (std::is_same_v<T, bool>) return Kind::boolean;
  if constexpr (std::is_integral_v<T>) return Kind::integer;
  if constexpr (std::is_enum_v<T>) return Kind::choice;
  if constexpr (std::is_same_v<T, Duration>) return Kind::duration;
  if constexpr (std::is_same_v<T, Size>) return Kind::size;
  if constexpr (std::is_same_v<T, Path>) return Kind::path;
  return has_choices ? Kind::choice : Kind::text;
}

template <class T>
void store(T& into, const Entry& entry, const Value& value) {
  if constexpr (std::is_same_v<T, bool>) {
    into = std::get<bool>(value);
  } else if constexpr (std::is_integral_v<T> || std::is_enum_v<T>) {
    into = static_cast<T>(std::get<std::int64_t>(value));
  } else if constexpr (std::is_same_v<T, Duration>) {
    into = Duration(std::get<std::int64_t>(value));
  } else if constexpr (std::is_same_v<T, Size>) {
    into = Size{static_cast<std::uint64_t>(std::get<std::int64_t>(value))};
  } else if constexpr (std::is_same_v<T, Path>) {
    into = Path{std::get<std::string>(value)};
  } else {
    static_assert(std::is_same_v<T, std::string>, "a type that config does not know");
    into = format(entry, value);
  }
}

// Fills min, max and choices of `entry` from the rules and the limits of the member's type.
void apply_rules(Entry& entry, const Rules& rules, std::int64_t type_min, std::int64_t type_max);

}  // namespace detail

template <class Options>
struct Field {
  template <class T>
  Field(std::string name, T Options::*member, std::string fallback, std::string unit,
        std::string sentence, Rules rules = {})
      : set([member](Options& options, const Entry& e, const Value& value) {
          detail::store(options.*member, e, value);
        }) {
    entry.name = std::move(name);
    entry.kind = detail::kind_of<T>(!rules.choices.empty());
    entry.fallback = std::move(fallback);
    entry.unit = std::move(unit);
    entry.sentence = std::move(sentence);
    entry.variable = rules.variable;
    // Durations may be told to be negative by no one, sizes neither.
    std::int64_t min = 0;
    std::int64_t max = std::numeric_limits<std::int64_t>::max();
    if constexpr (std::is_integral_v<T>) {
      if constexpr (std::is_signed_v<T>) min = std::numeric_limits<T>::min();
      if constexpr (sizeof(T) < 8) max = static_cast<std::int64_t>(std::numeric_limits<T>::max());
    }
    detail::apply_rules(entry, rules, min, max);
  }

  Entry entry;
  std::function<void(Options&, const Entry&, const Value&)> set;
};

// A table without the type of its options: what Config loads and what is printed.
class TableBase {
 public:
  const std::string& module() const noexcept { return module_; }
  const std::vector<Entry>& entries() const noexcept { return entries_; }

 protected:
  explicit TableBase(std::string module) : module_(std::move(module)) {}
  ~TableBase() = default;
  // Asserts what only the module's author can break: names, and a default that its own rules
  // accept.
  void add(Entry entry);

 private:
  std::string module_;
  std::vector<Entry> entries_;
};

template <class Options>
class Table final : public TableBase {
 public:
  Table(std::string module, std::initializer_list<Field<Options>> fields)
      : TableBase(std::move(module)) {
    for (const Field<Options>& field : fields) {
      add(field.entry);
      setters_.push_back(field.set);
    }
  }

  // `values` are those of entries(), in order.
  Options make(const std::vector<Value>& values) const {
    KRG_ASSERT(values.size() == setters_.size());
    Options options{};
    for (std::size_t i = 0; i < values.size(); ++i) {
      setters_[i](options, entries()[i], values[i]);
    }
    return options;
  }

 private:
  std::vector<std::function<void(Options&, const Entry&, const Value&)>> setters_;
};

}  // namespace krg::config
