// cli/command.h: a command and its options, as data.
//
// Model    one constant table per command. The parser, --help, the bash completion and the test
//          that compares --help with the man page all read this table and nothing else.
// Threads  immutable.
// Blocks   never.
// Source   docs/design/placement.md, "Command line"
#pragma once

#include <span>
#include <string_view>

namespace krg::cli {

struct Option {
  // "-n,--np,-np": every spelling. The first that begins with "--" is how Arguments know it.
  std::string_view names;
  // What follows: "" for nothing, "N" for one word, "NAME VALUE" for two; "[=N]" for one that may
  // be left out, and stands behind '=' if not.
  std::string_view argument;
  // One sentence, without a full stop.
  std::string_view help;
  // The heading it stands under; options of one group stand together.
  std::string_view group;
  // What the completion offers for the argument: words between blanks, or one of "@file",
  // "@directory", "@host". "" = nothing.
  std::string_view offers = {};
  // May be given more than once.
  bool repeats = false;
};

struct Command {
  std::string_view name;     // "krgrun"; of a subcommand "status"
  std::string_view summary;  // One sentence, without a full stop.
  std::string_view usage;    // What follows the name: "[OPTION...] PROGRAM [ARGUMENT...]"
  std::span<const Option> options = {};
  std::span<const Command> commands = {};  // One of them must follow, unless there are none.
  // The first word that is no option is a program, and all that follows is its own.
  bool runs_program = false;
  // Text after the options in --help: examples.
  std::string_view footer = {};
  // What the completion offers behind the name, beside the options: words between blanks.
  std::string_view words = {};
};

}  // namespace krg::cli
