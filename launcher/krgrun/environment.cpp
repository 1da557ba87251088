#include "environment.h"

#include <algorithm>
#include <unordered_map>

namespace krg::krgrun {
namespace {

std::string_view name_of(std::string_view entry) { return entry.substr(0, entry.find('=')); }

// As a shell could set it; what comes later in a name is not our affair (BASH_FUNC_x%%).
bool is_name(std::string_view name) {
  return !name.empty() && (name[0] < '0' || name[0] > '9') &&
         name.find_first_of(" \t\n=") == std::string_view::npos;
}

class Builder {
 public:
  Builder(const std::vector<std::string>& ours, std::vector<std::string>& warnings,
          std::string& complaint)
      : ours_(ours), warnings_(warnings), complaint_(complaint) {}

  // Which of ours to begin with; `g` is "g" for the options of all programs.
  Status base(const cli::Arguments& all, const cli::Arguments& own) {
    KRG_TRY(at_most_one(all, "--genvall", "--genvnone", "--genvlist"));
    KRG_TRY(at_most_one(own, "--envall", "--envnone", "--envlist"));
    const bool own_says = own.has("--envall") || own.has("--envnone") || own.has("--envlist");
    const auto list = own_says ? own.value("--envlist") : all.value("--genvlist");
    const bool none = own_says ? own.has("--envnone") : all.has("--genvnone");
    if (list) return pass_list(*list);
    if (!none) {
      for (const std::string& entry : ours_) set(entry);
    }
    return {};
  }

  Status pairs(std::span<const std::string> words, std::string_view option) {
    for (std::size_t i = 0; i + 1 < words.size(); i += 2) {
      if (!is_name(words[i])) return refuse(std::string(option) + " " + words[i]);
      set(words[i] + "=" + words[i + 1]);
    }
    return {};
  }

  // -x VAR, VAR=value, VAR*
  Status exports(std::span<const std::string> words) {
    for (const std::string& word : words) {
      const std::string_view name = name_of(word);
      if (!is_name(name)) return refuse("-x " + word);
      if (word.size() > name.size()) {
        set(word);
      } else if (name.back() == '*') {
        pass_prefix(name.substr(0, name.size() - 1));
      } else {
        pass(word, "-x");
      }
    }
    return {};
  }

  std::vector<std::string> take() && { return std::move(entries_); }

 private:
  Status at_most_one(const cli::Arguments& from, std::string_view a, std::string_view b,
                     std::string_view c) {
    if (from.has(a) + from.has(b) + from.has(c) < 2) return {};
    complaint_ = std::string(a) + ", " + std::string(b) + " and " + std::string(c) +
                 " exclude each other: leave all but one out";
    return Errc::invalid_argument;
  }

  Status pass_list(std::string_view list) {
    while (!list.empty()) {
      const auto comma = std::min(list.find(','), list.size());
      if (comma > 0) pass(list.substr(0, comma), "the list of variables");
      list.remove_prefix(std::min(comma + 1, list.size()));
    }
    return {};
  }

  void pass(std::string_view name, std::string_view who) {
    const auto value = find_variable(ours_, name);
    if (value) {
      set(std::string(name) + "=" + std::string(*value));
    } else {
      warnings_.push_back(std::string(who) + ": " + std::string(name) +
                          " is not set, so it is not passed on");
    }
  }

  void pass_prefix(std::string_view prefix) {
    for (const std::string& entry : ours_) {
      if (name_of(entry).starts_with(prefix)) set(entry);
    }
  }

  void set(const std::string& entry) {
    const auto [at, is_new] = index_.try_emplace(std::string(name_of(entry)), entries_.size());
    if (is_new) {
      entries_.push_back(entry);
    } else {
      entries_[at->second] = entry;
    }
  }

  Status refuse(const std::string& what) {
    complaint_ = what + ": that is no name of a variable";
    return Errc::invalid_argument;
  }

  const std::vector<std::string>& ours_;
  std::vector<std::string>& warnings_;
  std::string& complaint_;
  std::vector<std::string> entries_;
  std::unordered_map<std::string, std::size_t> index_;
};

}  // namespace

std::optional<std::string_view> find_variable(const std::vector<std::string>& environment,
                                              std::string_view name) {
  for (const std::string& entry : environment) {
    if (name_of(entry) == name && entry.size() > name.size()) {
      return std::string_view(entry).substr(name.size() + 1);
    }
  }
  return std::nullopt;
}

Result<std::vector<std::string>> environment_of(const std::vector<std::string>& ours,
                                                const cli::Arguments& all,
                                                const cli::Arguments& own,
                                                std::vector<std::string>& warnings,
                                                std::string& complaint) {
  Builder builder(ours, warnings, complaint);
  KRG_TRY(builder.base(all, own));
  KRG_TRY(builder.pairs(all.values("--genv"), "--genv"));
  KRG_TRY(builder.pairs(own.values("--env"), "--env"));
  KRG_TRY(builder.exports(own.values("-x")));
  return std::move(builder).take();
}

}  // namespace krg::krgrun
