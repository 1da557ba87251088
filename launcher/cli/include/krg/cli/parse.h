// cli/parse.h: the words of a command line against the table of a command.
//
// Model    "--name value", "--name=value", "-n value", "-n4", "-qv"; a long name may also be
//          written with one dash, as mpiexec's users do. "--" ends the options. A command that
//          runs a program stops at the first word that is no option. --help, --version and, for
//          the build, --bash-completion are known everywhere.
// Threads  immutable once made.
// Blocks   never.
// Source   POSIX "Utility Conventions"; mpiexec(1)
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "krg/cli/command.h"
#include "krg/error/result.h"

namespace krg::cli {

class Arguments {
 public:
  // `name` is the option's first long spelling: "--np".
  bool has(std::string_view name) const { return values_.contains(name); }
  // Of an option with one word; the last one if it repeats; "" where a word was left out.
  std::optional<std::string_view> value(std::string_view name) const;
  // All words given to it, in order; an option that takes two gives two each time.
  std::span<const std::string> values(std::string_view name) const;
  // The long spellings of what was given, in order of name.
  std::vector<std::string_view> given() const;

  // What is not an option: the program and its arguments, or the operands.
  std::vector<std::string> rest;
  // The last subcommand, if the command has any; nullptr only if answer() has something to say.
  const Command* command = nullptr;

  // What --help, --version or --bash-completion shall print; nullopt if none was given.
  std::optional<std::string> answer(const Command& of) const;

 private:
  friend class Parser;
  enum class Question : std::uint8_t { none, help, version, completion };

  Question question_ = Question::none;
  std::string path_;  // The commands above `command`.
  std::map<std::string_view, std::vector<std::string>> values_;
};

// `args` without the program's name. On failure `complaint` is one line that says what to do.
// Errors  invalid_argument.
Result<Arguments> parse(const Command& command, std::span<const std::string_view> args,
                        std::string& complaint);

// The first long spelling, "--np"; the first one if none is long.
std::string_view key_of(const Option& option);
std::vector<std::string_view> spellings_of(const Option& option);
// How many words follow the option; none for a word that may be left out.
std::size_t words_of(const Option& option);
// Whether a word may stand behind '=': "[=N]".
bool may_take_word(const Option& option);

// The one of `names` that a person who typed `word` may have meant; empty if none is near.
std::string_view nearest(std::string_view word, std::span<const std::string_view> names);

}  // namespace krg::cli
