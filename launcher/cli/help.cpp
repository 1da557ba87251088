#include "krg/cli/help.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "krg/cli/parse.h"

namespace krg::cli {
namespace {

constexpr std::size_t kWidth = 100;
constexpr std::size_t kIndent = 34;  // Where the sentences begin.

// Breaks `text` into lines that fit from `indent` on; `column` is where the first one starts.
std::string wrapped(std::string_view text, std::size_t indent, std::size_t column) {
  std::string out;
  if (column + 1 > indent && column > 0) {
    out += '\n';
    column = 0;
  }
  out += std::string(indent - column, ' ');
  column = indent;
  while (!text.empty()) {
    const auto end = std::min(text.find(' '), text.size());
    if (column > indent && column + end + 1 > kWidth) {
      out += '\n' + std::string(indent, ' ');
      column = indent;
    } else if (column > indent) {
      out += ' ';
      ++column;
    }
    out += text.substr(0, end);
    column += end;
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return out + '\n';
}

std::string option_line(const Option& option) {
  std::string left = "  " + fmt::format("{}", fmt::join(spellings_of(option), ", "));
  if (!option.argument.empty()) {
    left += fmt::format("{}{}", may_take_word(option) ? "" : " ", option.argument);
  }
  return left + wrapped(option.help, kIndent, left.size());
}

}  // namespace

std::string help(const Command& command, std::string_view parent) {
  const std::string name =
      parent.empty() ? std::string(command.name) : fmt::format("{} {}", parent, command.name);
  std::string out = fmt::format("Usage: {} {}\n{}.\n", name, command.usage, command.summary);
  if (!command.commands.empty()) {
    out += "\nCommands:\n";
    for (const Command& each : command.commands) {
      const std::string left = fmt::format("  {}", each.name);
      out += left + wrapped(each.summary, kIndent, left.size());
    }
  }
  std::string_view group;
  for (const Option& option : command.options) {
    if (option.group != group) {
      group = option.group;
      out += fmt::format("\n{}:\n", group);
    }
    out += option_line(option);
  }
  out += fmt::format("\nHelp:\n{}{}", option_line({"-h,--help", "", "Show this help", ""}),
                     option_line({"-V,--version", "", "Show the version", ""}));
  if (!command.footer.empty()) out += fmt::format("\n{}", command.footer);
  return out;
}

}  // namespace krg::cli
