#include "krg/proc/exit_status.h"

#include <sys/wait.h>

#include <charconv>
#include <csignal>
#include <cstring>

namespace krg::proc {

std::string ExitStatus::describe() const {
  if (signal == 0) return "exited with code " + std::to_string(code);
  std::string words =
      "was killed by signal " + std::to_string(signal) + " (" + signal_name(signal) + ")";
  if (core_dumped) words += ", core dumped";
  if (out_of_memory) words += ", out of memory";
  return words;
}

ExitStatus from_wait_status(int status) noexcept {
  ExitStatus exit;
  if (WIFSIGNALED(status)) {
    exit.signal = WTERMSIG(status);
    exit.core_dumped = WCOREDUMP(status);
  } else {
    exit.code = WEXITSTATUS(status);
  }
  return exit;
}

std::string signal_name(int signal) {
  const char* name = sigabbrev_np(signal);
  return name != nullptr ? std::string("SIG") + name : "signal " + std::to_string(signal);
}

int signal_number(const std::string& name) noexcept {
  int number = 0;
  const char* const end = name.data() + name.size();
  if (const auto [rest, error] = std::from_chars(name.data(), end, number);
      error == std::errc() && rest == end) {
    return number > 0 && number < NSIG ? number : 0;
  }
  const char* const wanted = name.data() + (name.rfind("SIG", 0) == 0 ? 3 : 0);
  for (int s = 1; s < NSIG; ++s) {
    const char* const known = sigabbrev_np(s);
    if (known != nullptr && std::strcmp(known, wanted) == 0) return s;
  }
  return 0;
}

}  // namespace krg::proc
