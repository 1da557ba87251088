// krgkill: send a signal to tasks of a cluster's jobs, whichever nodes they are on.
#include <fmt/format.h>

#include <array>
#include <charconv>
#include <csignal>
#include <cstring>
#include <optional>
#include <string>
#include <vector>

#include "../krgadm/ask.h"
#include "krg/cli/command.h"
#include "krg/cli/exit.h"
#include "krg/cli/parse.h"
#include "krg/jobs/tasks.h"

namespace krg::krgkill {
namespace {

using cli::Command;
using cli::Option;

constexpr std::array kOptions = {
    Option{"-s,--signal", "SIGNAL", "Send this signal, by name or number (default: TERM)",
           "Options"},
    Option{"--cluster", "NAME", "Of the cluster of that name; without it of the only one",
           "Options"},
};
constexpr Command kKrgkill{"krgkill",
                           "Send a signal to tasks of a cluster's jobs",
                           "[OPTION...] [-SIGNAL] TASK...",
                           kOptions,
                           {},
                           false,
                           "A TASK is NODE:PID, or PID where only one node has it; see krgps(1).\n"
                           "Exit codes: 0 done, 1 failed, 2 bad usage. See krgkill(1).\n"};

// "TERM", "SIGTERM", "15", "0".
std::optional<int> signal_number(std::string_view text) {
  int value = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, value);
  if (!text.empty() && error == std::errc() && rest == end) {
    if (value >= 0 && value <= SIGRTMAX) return value;
    return std::nullopt;
  }
  if (text.starts_with("SIG")) text.remove_prefix(3);
  for (int number = 1; number < NSIG; ++number) {
    const char* const name = ::sigabbrev_np(number);
    if (name != nullptr && text == name) return number;
  }
  return std::nullopt;
}

// As kill(1) is typed: "-9" and "-TERM" are "--signal 9" and "--signal TERM".
std::vector<std::string> with_long_signal(std::span<const std::string_view> words) {
  std::vector<std::string> out;
  bool seen = false;
  for (const std::string_view word : words) {
    const bool is_short = !seen && word.size() > 1 && word.front() == '-' &&
                          signal_number(word.substr(1)).has_value();
    seen = seen || is_short;
    out.push_back(is_short ? "--signal=" + std::string(word.substr(1)) : std::string(word));
  }
  return out;
}

int kill_all(const cli::Arguments& args, int signal, const krgadm::Target& target) {
  std::vector<jobs::TaskName> names;
  for (const std::string& word : args.rest) {
    const auto name = jobs::parse_task(word);
    if (!name) return cli::refuse("krgkill", word + ": that is no task; write NODE:PID or PID");
    names.push_back(*name);
  }
  int code = cli::kDone;
  for (const jobs::TaskName& name : names) {
    std::string complaint;
    const jobs::SignalTask wish{name, signal};
    const auto answer = krgadm::ask<jobs::TaskSignalled>(target, wish, complaint);
    if (answer) complaint = answer->why;
    if (complaint.empty()) continue;
    cli::refuse("krgkill", answer ? jobs::to_text(name) + ": " + complaint : complaint);
    code = cli::kFailed;
    if (!answer) return code;
  }
  return code;
}

int main(std::span<const std::string_view> given) {
  const std::vector<std::string> typed = with_long_signal(given);
  const std::vector<std::string_view> words(typed.begin(), typed.end());
  std::string complaint;
  const auto args = cli::parse(kKrgkill, words, complaint);
  if (!args) return cli::refuse("krgkill", complaint);
  if (const auto answer = args->answer(kKrgkill)) return cli::print(*answer);
  if (args->rest.empty()) return cli::refuse("krgkill", "name a task; see krgkill --help");
  const std::string_view wanted = args->value("--signal").value_or("TERM");
  const auto signal = signal_number(wanted);
  if (!signal) return cli::refuse("krgkill", fmt::format("{}: there is no such signal", wanted));
  return kill_all(*args, *signal, krgadm::target_of(*args));
}

}  // namespace
}  // namespace krg::krgkill

int main(int argc, char** argv) {
  const std::vector<std::string_view> words(argv + 1, argv + argc);
  return krg::krgkill::main(words);
}
