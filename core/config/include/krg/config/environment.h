// config/environment.h: the environment variables of the process, read once.
//
// Model    a snapshot. The only place in krg that looks at environ; everybody else is handed
//          options.
// Threads  immutable.
// Blocks   never.
// Source   environ(7)
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace krg::config {

class Environment {
 public:
  using Map = std::map<std::string, std::string, std::less<>>;

  // No variables; for tests.
  Environment() = default;
  explicit Environment(Map variables) : variables_(std::move(variables)) {}
  // What this process was started with.
  // Requires  no other thread changes the environment meanwhile: call it first in main().
  static Environment of_process();

  std::optional<std::string_view> get(std::string_view name) const noexcept;
  // In order of name.
  const Map& all() const noexcept { return variables_; }

 private:
  Map variables_;
};

}  // namespace krg::config
