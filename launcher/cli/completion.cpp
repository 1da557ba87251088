#include "krg/cli/completion.h"

#include <fmt/format.h>

#include <map>
#include <vector>

#include "krg/cli/parse.h"

namespace krg::cli {
namespace {

constexpr Option kCommon[] = {{"-h,--help", "", "", ""}, {"-V,--version", "", "", ""}};

std::vector<std::string> all_spellings(const Option& option) {
  std::vector<std::string> out;
  for (const std::string_view name : spellings_of(option)) out.emplace_back(name);
  return out;
}

// Patterns for the options that take `count` words, "-n|--np|...", also with one dash.
std::string options_with_words(std::span<const Option> options, std::size_t count) {
  std::vector<std::string> names;
  for (const Option& option : options) {
    if (words_of(option) != count) continue;
    for (const std::string& name : all_spellings(option)) {
      names.push_back(name);
      if (name.starts_with("--")) names.push_back(name.substr(1));
    }
  }
  return fmt::format("{}", fmt::join(names, "|"));
}

std::string all_options(std::span<const Option> options) {
  std::vector<std::string> names;
  for (const auto& table : {options, std::span<const Option>(kCommon)}) {
    for (const Option& option : table) {
      for (std::string& name : all_spellings(option)) names.push_back(std::move(name));
    }
  }
  return fmt::format("{}", fmt::join(names, " "));
}

// What is offered after an option, as the body of a case.
std::string offer(std::string_view offers) {
  if (offers == "@file") return "_filedir";
  if (offers == "@directory") return "_filedir -d";
  if (offers == "@host") return "_known_hosts_real -- \"${cur##*,}\"";
  return fmt::format("COMPREPLY=($(compgen -W '{}' -- \"$cur\"))", offers);
}

std::string argument_cases(std::span<const Option> options, std::string_view indent) {
  std::string out;
  for (const Option& option : options) {
    if (words_of(option) == 0) continue;
    const std::string names = fmt::format("{}", fmt::join(all_spellings(option), "|"));
    out +=
        fmt::format("{}{})\n{}  {}\n{}  return\n{}  ;;\n", indent, names, indent,
                    option.offers.empty() ? "COMPREPLY=()" : offer(option.offers), indent, indent);
  }
  return out;
}

// After the program's name everything is the program's; ':' begins the next one.
std::string program_search(const Command& command) {
  const std::string one = options_with_words(command.options, 1);
  const std::string two = options_with_words(command.options, 2);
  std::string out =
      "  local i=1 begin=1\n"
      "  for ((i = 1; i < cword; i++)); do\n"
      "    [[ ${words[i]} == : ]] && begin=$((i + 1))\n"
      "  done\n"
      "  i=$begin\n"
      "  while ((i < cword)); do\n"
      "    case ${words[i]} in\n";
  if (!one.empty()) out += fmt::format("      {}) ((i += 2)) ;;\n", one);
  if (!two.empty()) out += fmt::format("      {}) ((i += 3)) ;;\n", two);
  out +=
      "      -*) ((i += 1)) ;;\n"
      "      *)\n"
      "        _command_offset \"$i\"\n"
      "        return\n"
      "        ;;\n"
      "    esac\n"
      "  done\n";
  return out;
}

std::string joined_names(std::span<const Command> commands) {
  std::vector<std::string> names;
  for (const Command& each : commands) names.emplace_back(each.name);
  return fmt::format("{}", fmt::join(names, " "));
}

// The cases of `command` and of those below it; `path` is what was typed so far: "cluster start".
void add_cases(const Command& command, const std::string& path, std::vector<Option> options,
               std::string& out) {
  options.insert(options.end(), command.options.begin(), command.options.end());
  for (const Command& each : command.commands) {
    add_cases(each, path.empty() ? std::string(each.name) : path + " " + std::string(each.name),
              options, out);
  }
  out += fmt::format("    '{}')\n      case $prev in\n{}      esac\n", path,
                     argument_cases(options, "        "));
  out += fmt::format("      COMPREPLY=($(compgen -W '{} {} {}' -- \"$cur\"))\n      ;;\n",
                     joined_names(command.commands), command.words, all_options(options));
  if (command.words.empty()) return;
  // Behind one of the words.
  out += fmt::format(
      "    '{} '*)\n      case $prev in\n{}      esac\n"
      "      COMPREPLY=($(compgen -W '{}' -- \"$cur\"))\n      ;;\n",
      path, argument_cases(options, "        "), all_options(options));
}

// The words that are no options say which command it is.
std::string subcommand_part(const Command& command) {
  std::string cases;
  add_cases(command, "", {}, cases);
  return "  local word command=\n"
         "  for word in \"${words[@]:1:cword-1}\"; do\n"
         "    [[ $word != -* ]] && command+=\"${command:+ }$word\"\n"
         "  done\n"
         "  case $command in\n" +
         cases + "  esac\n";
}

}  // namespace

std::string bash_completion(const Command& command) {
  std::string out = fmt::format(
      "# bash completion for {0}, made from its table of options\n"
      "_{0}() {{\n"
      "  local cur prev words cword\n"
      "  _init_completion -n := || return\n",
      command.name);
  if (!command.commands.empty()) {
    out += subcommand_part(command);
  } else {
    if (command.runs_program) out += program_search(command);
    out += "  case $prev in\n" + argument_cases(command.options, "    ") + "  esac\n";
    out += fmt::format(
        "  if [[ $cur == -* ]]; then\n"
        "    COMPREPLY=($(compgen -W '{}' -- \"$cur\"))\n",
        all_options(command.options));
    out += command.runs_program ? "  else\n    _command_offset \"$cword\"\n  fi\n" : "  fi\n";
  }
  out += fmt::format("}}\ncomplete -F _{0} {0}\n", command.name);
  return out;
}

}  // namespace krg::cli
