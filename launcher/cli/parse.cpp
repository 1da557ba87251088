#include "krg/cli/parse.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "krg/base/edit_distance.h"
#include "krg/cli/completion.h"
#include "krg/cli/help.h"

namespace krg::cli {
namespace {

constexpr std::array<Option, 3> kEverywhere{{
    {"-h,--help", "", "Show this help", ""},
    {"-V,--version", "", "Show the version", ""},
    {"--bash-completion", "", "Show the completion for bash", ""},
}};

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> out;
  while (!text.empty()) {
    const auto end = std::min(text.find(separator), text.size());
    if (end > 0) out.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return out;
}

template <class... Args>
Error complain(std::string& complaint, fmt::format_string<Args...> format, Args&&... args) {
  complaint = fmt::format(format, std::forward<Args>(args)...);
  return Error(Errc::invalid_argument, "bad command line");
}

}  // namespace

std::vector<std::string_view> spellings_of(const Option& option) {
  return split(option.names, ',');
}

std::string_view key_of(const Option& option) {
  const auto names = spellings_of(option);
  const auto at = std::find_if(names.begin(), names.end(),
                               [](std::string_view name) { return name.starts_with("--"); });
  return at == names.end() ? names.front() : *at;
}

bool may_take_word(const Option& option) { return option.argument.starts_with("[="); }

std::size_t words_of(const Option& option) {
  return may_take_word(option) ? 0 : split(option.argument, ' ').size();
}

std::string_view nearest(std::string_view word, std::span<const std::string_view> names) {
  std::string_view best;
  std::size_t best_distance = 3;  // Two wrong letters are a slip, three are another word.
  for (const std::string_view name : names) {
    const std::size_t d = edit_distance(word, name);
    if (d < best_distance && d < name.size() / 2) {
      best = name;
      best_distance = d;
    }
  }
  return best;
}

std::optional<std::string_view> Arguments::value(std::string_view name) const {
  const auto at = values_.find(name);
  if (at == values_.end() || at->second.empty()) return std::nullopt;
  return at->second.back();
}

std::span<const std::string> Arguments::values(std::string_view name) const {
  const auto at = values_.find(name);
  if (at == values_.end()) return {};
  return at->second;
}

std::vector<std::string_view> Arguments::given() const {
  std::vector<std::string_view> out;
  for (const auto& [name, values] : values_) out.push_back(name);
  return out;
}

std::optional<std::string> Arguments::answer(const Command& of) const {
  switch (question_) {
    case Question::none:
      return std::nullopt;
    case Question::help:
      return command != nullptr ? cli::help(*command, path_) : cli::help(of);
    case Question::version:
      return fmt::format("{} {}\n", of.name, KRG_VERSION);
    case Question::completion:
      return bash_completion(of);
  }
  return std::nullopt;
}

class Parser {
 public:
  Parser(const Command& command, std::span<const std::string_view> args, std::string& complaint)
      : command_(&command), args_(args), complaint_(complaint) {}

  Result<Arguments> run() {
    while (at_ < args_.size() && !asked()) {
      const std::string_view word = args_[at_++];
      if (word == "--") {
        take_rest();
      } else if (word.size() > 1 && word.front() == '-') {
        KRG_TRY(option(word));
      } else if (!command_->commands.empty()) {
        KRG_TRY(subcommand(word));
      } else if (command_->runs_program) {
        --at_;
        take_rest();
      } else {
        out_.rest.emplace_back(word);
      }
    }
    if (!command_->commands.empty() && !asked()) {
      return complain(complaint_, "which command? try: {} --help", path());
    }
    return std::move(out_);
  }

 private:
  bool asked() const { return out_.question_ != Arguments::Question::none; }

  void take_rest() {
    for (; at_ < args_.size(); ++at_) out_.rest.emplace_back(args_[at_]);
  }

  Status subcommand(std::string_view word) {
    std::vector<std::string_view> names;
    for (const Command& each : command_->commands) {
      names.push_back(each.name);
      if (each.name != word) continue;
      out_.command = &each;
      parents_.push_back(command_);
      command_ = &each;
      return {};
    }
    const std::string_view near = nearest(word, names);
    return complain(complaint_, "unknown command '{}'{}; try: {} --help", word,
                    near.empty() ? "" : fmt::format(", did you mean '{}'?", near), path());
  }

  // "krgadm cluster"
  std::string path() const {
    std::string out;
    for (const Command* parent : parents_) out += std::string(parent->name) + " ";
    return out + std::string(command_->name);
  }

  // Every option known here: the command's, those of the commands above, and the common ones.
  std::vector<std::span<const Option>> tables() const {
    std::vector<std::span<const Option>> out{command_->options, kEverywhere};
    for (const Command* parent : parents_) out.push_back(parent->options);
    return out;
  }

  const Option* find(std::string_view name) const {
    for (const auto& table : tables()) {
      for (const Option& option : table) {
        for (const std::string_view each : spellings_of(option)) {
          if (each == name) return &option;
        }
      }
    }
    return nullptr;
  }

  // As it is, or a long name with one dash.
  const Option* find_long(std::string_view name) const {
    const Option* found = find(name);
    if (found != nullptr || name.starts_with("--") || name.size() < 3) return found;
    return find("-" + std::string(name));
  }

  Status option(std::string_view word) {
    const auto equals = word.find('=');
    const std::string_view name = word.substr(0, equals);
    if (const Option* found = find_long(name)) {
      std::optional<std::string_view> value;
      if (equals != std::string_view::npos) value = word.substr(equals + 1);
      return take(*found, name, value);
    }
    // "-n4", or flags in one word: "-qv".
    if (!word.starts_with("--")) {
      const Option* first = find(word.substr(0, 2));
      if (first != nullptr && words_of(*first) == 1) {
        return take(*first, word.substr(0, 2), word.substr(2));
      }
      if (first != nullptr && words_of(*first) == 0 && all_flags(word)) {
        for (const char c : word.substr(1)) {
          const std::string flag{'-', c};
          KRG_TRY(take(*find(flag), flag, std::nullopt));
        }
        return {};
      }
    }
    return unknown(name);
  }

  bool all_flags(std::string_view word) const {
    return std::all_of(word.begin() + 1, word.end(), [this](char c) {
      const Option* found = find(std::string{'-', c});
      return found != nullptr && words_of(*found) == 0;
    });
  }

  Status unknown(std::string_view name) {
    std::vector<std::string_view> names;
    for (const auto& table : tables()) {
      for (const Option& option : table) {
        const auto more = spellings_of(option);
        names.insert(names.end(), more.begin(), more.end());
      }
    }
    const std::string dashed = name.starts_with("--") ? std::string(name) : "-" + std::string(name);
    std::string_view near = nearest(name, names);
    if (near.empty()) near = nearest(dashed, names);
    if (!near.empty()) {
      return complain(complaint_, "unknown option {}: did you mean {}?", name, near);
    }
    return complain(complaint_, "unknown option {}: --help lists all", name);
  }

  Status take(const Option& option, std::string_view name, std::optional<std::string_view> value) {
    const std::string_view key = key_of(option);
    for (std::size_t i = 0; i < kEverywhere.size(); ++i) {
      if (&option != &kEverywhere[i]) continue;
      out_.question_ = static_cast<Arguments::Question>(i + 1);
      for (const Command* parent : parents_) {
        out_.path_ += (out_.path_.empty() ? "" : " ") + std::string(parent->name);
      }
      return {};
    }
    const bool again = out_.has(key);
    std::vector<std::string>& values = out_.values_[key];
    if (again && !option.repeats) {
      return complain(complaint_, "option {} is given twice: leave one out", name);
    }
    const std::size_t wanted = words_of(option);
    if (value && may_take_word(option)) {
      if (value->empty()) {
        return complain(complaint_, "option {}= lacks its argument: write {}{}", name, name,
                        option.argument);
      }
      values.emplace_back(*value);
      return {};
    }
    if (value && wanted != 1) {
      return complain(complaint_, "option {} takes no '=': write {} {}", name, name,
                      option.argument);
    }
    if (value) {
      values.emplace_back(*value);
    } else if (args_.size() - at_ < wanted) {
      return complain(complaint_, "option {} lacks its argument: write {} {}", name, name,
                      option.argument);
    } else {
      for (std::size_t i = 0; i < wanted; ++i) values.emplace_back(args_[at_++]);
    }
    if (wanted == 0) values.emplace_back();  // Counts how often a flag stands there.
    return {};
  }

  const Command* command_;
  std::vector<const Command*> parents_;
  std::span<const std::string_view> args_;
  std::string& complaint_;
  std::size_t at_ = 0;
  Arguments out_;
};

Result<Arguments> parse(const Command& command, std::span<const std::string_view> args,
                        std::string& complaint) {
  return Parser(command, args, complaint).run();
}

}  // namespace krg::cli
