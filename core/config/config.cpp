#include "krg/config/config.h"

#include <algorithm>
#include <array>
#include <map>
#include <optional>

#include "krg/base/edit_distance.h"
#include "krg/log/log.h"
#include "toml_file.h"

namespace krg::config {
namespace {

// ", did you mean X?" if a name is near enough to be a slip, "" otherwise.
std::string suggestion(std::string_view wrong, const std::vector<std::string>& names) {
  const std::string* best = nullptr;
  std::size_t best_distance = std::max<std::size_t>(2, wrong.size() / 4) + 1;
  for (const std::string& name : names) {
    const std::size_t distance = edit_distance(wrong, name);
    if (distance < best_distance) {
      best_distance = distance;
      best = &name;
    }
  }
  return best == nullptr ? "" : ", did you mean " + *best + "?";
}

std::string expand_home(const std::string& path, const Environment& environment) {
  if (!path.starts_with("~/")) return path;
  const auto home = environment.get("HOME");
  return home ? std::string(*home) + path.substr(1) : path;
}

}  // namespace

// Fills a Config from its sources, weakest first.
class Loader {
 public:
  Loader(Config& config, const Sources& sources, std::span<const Given> given)
      : config_(config), sources_(sources), given_(given) {
    for (const TableBase* table : config_.tables_) {
      for (const Entry& entry : table->entries()) {
        const std::size_t index = config_.settings_.size();
        config_.settings_.push_back(
            {&entry, *parse(entry, entry.fallback), Level::fallback, "default"});
        set_home(config_.settings_.back());
        const bool new_key = by_key_.emplace(entry.key(), index).second;
        const bool new_variable = by_variable_.emplace(entry.variable, index).second;
        KRG_ASSERT(new_key && new_variable);
        keys_.push_back(entry.key());
        variables_.push_back(entry.variable);
      }
    }
  }

  void load() {
    load_file(sources_.system_file, Level::system_file);
    load_file(sources_.user_file, Level::user_file);
    load_environment();
    for (const Override& item : sources_.command_line) {
      set(item.key, item.value, Level::command_line, item.option);
    }
  }

 private:
  void load_file(const std::string& name, Level level) {
    if (name.empty()) return;
    TomlFile file = read_toml(name);
    for (std::string& error : file.errors) config_.errors_.push_back(std::move(error));
    for (const TomlItem& item : file.items) {
      set(item.key, item.value, level, name + ":" + std::to_string(item.line));
    }
  }

  void load_environment() {
    for (const auto& [variable, value] : sources_.environment.all()) {
      if (!variable.starts_with("KRG_")) continue;
      const auto found = by_variable_.find(variable);
      if (found == by_variable_.end()) {
        if (is_given(variable)) continue;
        config_.warnings_.push_back("unknown variable " + variable +
                                    suggestion(variable, variables_));
      } else {
        assign(config_.settings_[found->second], variable, value, Level::environment, variable);
      }
    }
  }

  bool is_given(std::string_view variable) const noexcept {
    return std::any_of(given_.begin(), given_.end(),
                       [&](const Given& given) { return given.variable == variable; });
  }

  void set(const std::string& key, const std::string& value, Level level,
           const std::string& origin) {
    const auto found = by_key_.find(key);
    if (found != by_key_.end()) {
      assign(config_.settings_[found->second], key, value, level, origin);
      return;
    }
    const std::string line = origin + ": unknown key " + key + suggestion(key, keys_);
    // A file may be shared with another version of krg; a command line is typed now.
    (level == Level::command_line ? config_.errors_ : config_.warnings_).push_back(line);
  }

  void assign(Setting& setting, const std::string& name, const std::string& written, Level level,
              const std::string& origin) {
    auto value = parse(*setting.entry, written);
    if (!value) {
      const std::string where = level == Level::environment ? "the environment" : origin;
      config_.errors_.push_back(name + " is \"" + written + "\", want " + wanted(*setting.entry) +
                                " (from " + where + ")");
      return;
    }
    setting.value = std::move(*value);
    setting.level = level;
    setting.origin = origin;
    set_home(setting);
  }

  void set_home(Setting& setting) {
    if (setting.entry->kind != Kind::path) return;
    setting.value = expand_home(std::get<std::string>(setting.value), sources_.environment);
  }

  Config& config_;
  const Sources& sources_;
  const std::span<const Given> given_;
  std::map<std::string, std::size_t, std::less<>> by_key_;
  std::map<std::string, std::size_t, std::less<>> by_variable_;
  std::vector<std::string> keys_;
  std::vector<std::string> variables_;
};

std::string_view name_of(Level level) noexcept {
  constexpr std::array<std::string_view, 5> kNames = {"default", "system file", "user file",
                                                      "environment", "command line"};
  return kNames[static_cast<std::size_t>(level)];
}

Sources Sources::of_process() {
  Sources sources;
  sources.environment = Environment::of_process();
  sources.system_file = "/etc/krg/krg.toml";
  if (const auto xdg = sources.environment.get("XDG_CONFIG_HOME"); xdg && xdg->starts_with('/')) {
    sources.user_file = std::string(*xdg) + "/krg/krg.toml";
  } else if (const auto home = sources.environment.get("HOME"); home && !home->empty()) {
    sources.user_file = std::string(*home) + "/.config/krg/krg.toml";
  }
  return sources;
}

Config::Config(std::vector<const TableBase*> tables, const Sources& sources,
               std::span<const Given> given)
    : tables_(std::move(tables)) {
  Loader(*this, sources, given).load();
}

Status Config::report() const {
  for (const std::string& line : errors_) KRG_ERROR("{}", line);
  for (const std::string& line : warnings_) KRG_WARN("{}", line);
  if (!errors_.empty()) return Error(Errc::invalid_argument, "configuration");
  return {};
}

std::vector<Value> Config::values(const TableBase& table) const {
  KRG_ASSERT(std::find(tables_.begin(), tables_.end(), &table) != tables_.end());
  std::vector<Value> out;
  out.reserve(table.entries().size());
  for (const Setting& setting : settings_) {
    if (setting.entry->module == table.module()) out.push_back(setting.value);
  }
  return out;
}

}  // namespace krg::config
