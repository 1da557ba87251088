// proc/exit_status.h: how a task ended, as a value and as words.
//
// Model    a task exits with a code or dies of a signal. Whether the kernel's out-of-memory killer
// was at work
//          is a judgement: SIGKILL that krg did not send, while the kernel's count of such kills
//          grew.
// Threads  immutable.
// Blocks   never.
// Source   wait(2); proc_vmstat(5), oom_kill
#pragma once

#include <cstdint>
#include <string>

namespace krg::proc {

struct ExitStatus {
  // 0..255; meaningful if signal is 0.
  std::int32_t code = 0;
  // What killed the task, or 0.
  std::int32_t signal = 0;
  bool core_dumped = false;
  bool out_of_memory = false;

  bool success() const noexcept { return code == 0 && signal == 0; }
  // What a shell would show in $?: the code, or 128 + signal.
  int shell_code() const noexcept { return signal != 0 ? 128 + signal : code; }
  // "exited with code 3"; "was killed by signal 9 (SIGKILL), out of memory".
  std::string describe() const;

  static void wire_fields(auto& m, auto&& visit) {
    visit(m.code, m.signal, m.core_dumped, m.out_of_memory);
  }
  bool operator==(const ExitStatus&) const = default;
};

// Of a status as wait(2) gives it.
ExitStatus from_wait_status(int status) noexcept;
// "SIGKILL"; "signal 45" where the number has no name.
std::string signal_name(int signal);
// The number of "SIGUSR1", "USR1" or "10"; 0 if it is none.
int signal_number(const std::string& name) noexcept;

}  // namespace krg::proc
