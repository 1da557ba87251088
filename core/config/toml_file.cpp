#include "toml_file.h"

#define TOML_EXCEPTIONS 0
#include <toml++/toml.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>

namespace krg::config {
namespace {

class Flattener {
 public:
  Flattener(const std::string& name, TomlFile& out) : name_(name), out_(out) {}

  void table(const toml::table& table, const std::string& prefix) {
    for (const auto& [key, node] : table) {
      const std::string full =
          prefix.empty() ? std::string(key.str()) : prefix + "." + std::string(key.str());
      if (const toml::table* inner = node.as_table()) {
        this->table(*inner, full);
      } else {
        leaf(node, full);
      }
    }
  }

 private:
  void leaf(const toml::node& node, const std::string& key) {
    const auto line = static_cast<unsigned>(node.source().begin.line);
    std::string value;
    if (const auto* s = node.as_string()) {
      value = s->get();
    } else if (const auto* i = node.as_integer()) {
      value = std::to_string(i->get());
    } else if (const auto* b = node.as_boolean()) {
      value = b->get() ? "yes" : "no";
    } else {
      out_.errors.push_back(name_ + ":" + std::to_string(line) + ": " + key +
                            " must be a string, an integer or a boolean");
      return;
    }
    out_.items.push_back({key, std::move(value), line});
  }

  const std::string& name_;
  TomlFile& out_;
};

}  // namespace

TomlFile read_toml(const std::string& name) {
  TomlFile out;
  std::ifstream stream(name, std::ios::binary);
  if (!stream) {
    if (errno != ENOENT && errno != ENOTDIR) {
      out.errors.push_back(name + " can not be read: " + std::strerror(errno));
    }
    return out;
  }
  const std::string content{std::istreambuf_iterator<char>(stream), {}};
  if (stream.bad()) {
    out.errors.push_back(name + " can not be read");
    return out;
  }
  const toml::parse_result parsed = toml::parse(content, name);
  if (!parsed) {
    const toml::parse_error& error = parsed.error();
    out.errors.push_back(name + ":" + std::to_string(error.source().begin.line) + ": " +
                         std::string(error.description()));
    return out;
  }
  Flattener(name, out).table(parsed.table(), "");
  return out;
}

}  // namespace krg::config
