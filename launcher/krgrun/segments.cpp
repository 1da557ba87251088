#include "segments.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

namespace krg::krgrun {
namespace {

constexpr std::string_view kBlanks = " \t\r";

// Reads the words of one line.
class LineReader {
 public:
  explicit LineReader(std::string_view line) : line_(line) {}

  // False: a quote is not closed.
  bool read(std::vector<std::string>& words) {
    std::string word;
    bool inside = false;
    for (; at_ < line_.size(); ++at_) {
      const char c = line_[at_];
      if (c == '#' && !inside) break;
      if (kBlanks.find(c) != std::string_view::npos) {
        if (inside) words.push_back(std::move(word));
        word.clear();
        inside = false;
        continue;
      }
      inside = true;
      if (c == '\'' || c == '"') {
        if (!quoted(c, word)) return false;
      } else if (c == '\\' && at_ + 1 < line_.size()) {
        word += line_[++at_];
      } else {
        word += c;
      }
    }
    if (inside) words.push_back(std::move(word));
    return true;
  }

 private:
  bool quoted(char quote, std::string& word) {
    for (++at_; at_ < line_.size() && line_[at_] != quote; ++at_) {
      if (quote == '"' && line_[at_] == '\\' && at_ + 1 < line_.size()) ++at_;
      word += line_[at_];
    }
    return at_ < line_.size();
  }

  std::string_view line_;
  std::size_t at_ = 0;
};

enum class Kind { missing, directory, not_executable, program };

Kind kind_of(const std::string& path) {
  struct stat about {};
  if (::stat(path.c_str(), &about) != 0) return Kind::missing;
  if (S_ISDIR(about.st_mode)) return Kind::directory;
  return ::access(path.c_str(), X_OK) == 0 ? Kind::program : Kind::not_executable;
}

Error refuse(std::string& complaint, Errc code, std::string text) {
  complaint = std::move(text);
  return Error(code, "program can not be run");
}

}  // namespace

std::vector<std::vector<std::string_view>> split_segments(std::span<const std::string_view> args) {
  std::vector<std::vector<std::string_view>> out(1);
  for (const std::string_view arg : args) {
    if (arg == ":") {
      out.emplace_back();
    } else {
      out.back().push_back(arg);
    }
  }
  return out;
}

Result<std::vector<std::vector<std::string>>> config_lines(std::string_view text,
                                                           std::string& complaint) {
  std::vector<std::vector<std::string>> out;
  for (std::size_t number = 1; !text.empty(); ++number) {
    const auto end = std::min(text.find('\n'), text.size());
    std::vector<std::string> words;
    if (!LineReader(text.substr(0, end)).read(words)) {
      return refuse(complaint, Errc::invalid_argument,
                    std::to_string(number) + ": a quote is not closed");
    }
    if (!words.empty()) out.push_back(std::move(words));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return out;
}

std::string absolute(std::string_view name, const std::string& directory) {
  if (name.starts_with('/')) return std::string(name);
  while (name.starts_with("./")) name.remove_prefix(2);
  if (name.empty() || name == ".") return directory;
  return directory + (directory.ends_with('/') ? "" : "/") + std::string(name);
}

Result<std::string> find_program(const std::string& name, const std::string& directory,
                                 std::string_view path, std::string& complaint) {
  if (name.find('/') != std::string::npos) {
    const std::string full = absolute(name, directory);
    switch (kind_of(full)) {
      case Kind::program:
        return full;
      case Kind::missing:
        return refuse(complaint, Errc::not_found, "program " + name + " does not exist");
      case Kind::directory:
        return refuse(complaint, Errc::denied, "program " + name + " is a directory");
      case Kind::not_executable:
        return refuse(complaint, Errc::denied,
                      "program " + name + " is not executable: try chmod +x " + name);
    }
  }
  std::string seen;  // A file of that name that can not be run.
  while (true) {
    const auto end = std::min(path.find(':'), path.size());
    const std::string full = absolute(name, absolute(path.substr(0, end), directory));
    const Kind kind = kind_of(full);
    if (kind == Kind::program) return full;
    if (kind == Kind::not_executable && seen.empty()) seen = full;
    if (end == path.size()) break;
    path.remove_prefix(end + 1);
  }
  if (!seen.empty()) {
    return refuse(complaint, Errc::denied, "program " + seen + " is not executable");
  }
  const bool here = kind_of(absolute(name, directory)) == Kind::program;
  return refuse(complaint, Errc::not_found,
                "program " + name + " is not in PATH" +
                    (here ? ": for the one in this directory write ./" + name : ""));
}

}  // namespace krg::krgrun
