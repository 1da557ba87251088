// pmix/environment.h: a rank's environment, made from the user's.
//
// Model    a list of "NAME=value" without duplicates, in the order of first appearance.
// Threads  owned by one thread.
// Blocks   never.
// Source   docs/design/pmi.md, "The environment of a rank"
#pragma once

#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace krg::pmix {

class Environment {
 public:
  // Takes `user` without what an outer launcher or an outer MPI job left in it: those variables
  // would send the rank to servers that do not know it.
  explicit Environment(const std::vector<std::string>& user);

  void set(std::string_view name, std::string_view value);
  // A setting that is the user's if he has made it.
  void set_default(std::string_view name, std::string_view value);
  // "NAME=value"; replaces.
  void set_entry(std::string_view entry);
  bool has(std::string_view name) const { return index_.contains(std::string(name)); }
  std::vector<std::string> take() && { return std::move(entries_); }

 private:
  std::vector<std::string> entries_;
  std::unordered_map<std::string, std::size_t> index_;
};

}  // namespace krg::pmix
