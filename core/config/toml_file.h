// A krg.toml as a list of keys and values in text form; the only user of toml++.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace krg::config {

struct TomlItem {
  std::string key;  // "transport.lease"
  std::string value;
  unsigned line = 0;
};

struct TomlFile {
  std::vector<TomlItem> items;
  std::vector<std::string> errors;  // Whole lines, naming the file.
};

// A file that does not exist is an empty one.
TomlFile read_toml(const std::string& name);

}  // namespace krg::config
