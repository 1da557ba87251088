// config/config.h: what this process was told, from everywhere, with where each value came from.
//
// Model    read once at start, immutable afterwards. Later sources win: default < system file <
// user file <
//          environment < command line. A value that breaks its entry's rules is an error and the
//          value below it stays; a KRG_* variable or a key that no table knows is a warning with
//          the nearest name.
//            const config::Config config({&Options::table(), ...}, config::Sources::of_process());
//            KRG_TRY(config.report());
//            const Options options = config.read(Options::table());
// Threads  immutable.
// Blocks   the constructor, as reading two small files does.
// Source   krg-environment(7); the XDG base directory specification
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "krg/config/environment.h"
#include "krg/config/table.h"
#include "krg/error/result.h"

namespace krg::config {

// One value given on the command line: key "transport.lease", value "2s", option "--lease".
struct Override {
  std::string key;
  std::string value;
  std::string option;
};

// A variable that krg gives to others and does not read: nothing to configure, but no slip either.
struct Given {
  std::string_view variable;
  std::string_view meaning;  // One sentence.
};

struct Sources {
  Environment environment;
  std::string system_file;  // "" = none
  std::string user_file;
  std::vector<Override> command_line;

  // The process's environment, /etc/krg/krg.toml and $XDG_CONFIG_HOME/krg/krg.toml (or
  // ~/.config/krg/krg.toml).
  static Sources of_process();
};

enum class Level : std::uint8_t { fallback, system_file, user_file, environment, command_line };

// "default", "system file", ...
std::string_view name_of(Level level) noexcept;

// One value of one entry, and where it came from.
struct Setting {
  const Entry* entry = nullptr;
  Value value;
  Level level = Level::fallback;
  std::string origin;  // "default", "/etc/krg/krg.toml", "KRG_TRANSPORT_LEASE", "--lease"
};

class Config {
 public:
  // Requires  the tables outlive this, and no two entries share a key or a variable.
  Config(std::vector<const TableBase*> tables, const Sources& sources,
         std::span<const Given> given = {});

  // Requires  `table` is one of those given to the constructor.
  template <class Options>
  Options read(const Table<Options>& table) const {
    return table.make(values(table));
  }

  // In the order of the tables.
  const std::vector<Setting>& settings() const noexcept { return settings_; }
  // Whole lines: 'KRG_TRANSPORT_LEASE is "soon", want a duration such as ... (from the
  // environment)'.
  const std::vector<std::string>& errors() const noexcept { return errors_; }
  const std::vector<std::string>& warnings() const noexcept { return warnings_; }

  // Logs every error and warning.
  // Errors  invalid_argument  there is at least one error.
  Status report() const;

 private:
  friend class Loader;
  std::vector<Value> values(const TableBase& table) const;

  std::vector<const TableBase*> tables_;
  std::vector<Setting> settings_;
  std::vector<std::string> errors_;
  std::vector<std::string> warnings_;
};

}  // namespace krg::config
