#include <fmt/format.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <csignal>
#include <cstring>

#include "frozen.h"
#include "krg/epm/proc_text.h"
#include "proc_files.h"

namespace krg::epm {
namespace {

constexpr std::size_t kPendingMax = 64;

std::string without_newline(std::string text) {
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

}  // namespace

std::vector<SignalInfo> pending_signals(pid_t tid, bool of_process) {
  std::vector<SignalInfo> all(kPendingMax);
  __ptrace_peeksiginfo_args args{};
  args.flags = of_process ? PTRACE_PEEKSIGINFO_SHARED : 0;
  args.nr = static_cast<std::int32_t>(all.size());
  const long got = ptrace(PTRACE_PEEKSIGINFO, tid, &args, all.data());
  all.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
  return all;
}

void restart_interrupted_call(Registers& registers) {
  constexpr std::int64_t kRestartSys = -512, kRestartNoIntr = -513, kRestartNoHand = -514,
                         kRestartBlock = -516;
  if (static_cast<std::int64_t>(registers.orig_rax) < 0) return;
  const auto result = static_cast<std::int64_t>(registers.rax);
  const bool again = result == kRestartSys || result == kRestartNoIntr ||
                     result == kRestartNoHand || result == kRestartBlock;
  if (again) {
    if (result == kRestartBlock) {
      // The rest of the time is where the caller wants to see it, if it wants to.
      const bool absolute = registers.orig_rax == SYS_clock_nanosleep && registers.rsi != 0;
      if (registers.orig_rax == SYS_nanosleep && registers.rsi != 0) registers.rdi = registers.rsi;
      if (registers.orig_rax == SYS_clock_nanosleep && registers.r10 != 0 && !absolute) {
        registers.rdx = registers.r10;
      }
    }
    registers.rax = registers.orig_rax;
    registers.rip -= 2;
  }
  registers.orig_rax = ~0ull;
}

// What stat, auxv and the limits say.
Status Frozen::read_layout() {
  const auto stat = parse_stat(slurp(of(pid_, "stat")));
  if (stat.empty()) return Error(Errc::system_error, "the process's state can not be read");
  const auto number = [&](std::size_t of_page) { return stat[of_page - 3]; };
  // prctl_mm_map: code, data, brk (its end is known to the process alone), stack, arguments,
  // environment.
  image_.layout = {number(26), number(27), number(45), number(46), number(47), 0,
                   number(28), number(48), number(49), number(50), number(51)};
  const std::string auxiliary = slurp(of(pid_, "auxv"));
  image_.auxiliary.resize(auxiliary.size() / 8);
  std::memcpy(image_.auxiliary.data(), auxiliary.data(), image_.auxiliary.size() * 8);
  static_assert(sizeof image_.limits == Image::kLimits * sizeof(rlimit));
  for (std::size_t i = 0; i < Image::kLimits; ++i) {
    rlimit limit{};
    if (prlimit(pid_, static_cast<__rlimit_resource>(i), nullptr, &limit) != 0) {
      return errno_error(Errc::system_error, "the process's limits can not be read");
    }
    image_.limits[2 * i] = limit.rlim_cur;
    image_.limits[2 * i + 1] = limit.rlim_max;
  }
  return {};
}

Status Frozen::read_threads() {
  for (const pid_t tid : tids_) {
    ThreadImage thread;
    const std::string folder = fmt::format("task/{}/", tid);
    thread.tid = inner_pid(slurp(of(pid_, (folder + "status").c_str())));
    thread.name = without_newline(slurp(of(pid_, (folder + "comm").c_str())));
    thread.nice = getpriority(PRIO_PROCESS, static_cast<id_t>(tid));
    KRG_TRY_ASSIGN(Registers now, registers(tid));
    restart_interrupted_call(now);
    static_assert(sizeof now == sizeof thread.registers);
    std::memcpy(thread.registers.data(), &now, sizeof now);
    KRG_TRY_ASSIGN(thread.extended, extended(tid));
    KRG_TRY_ASSIGN(thread.blocked, blocked(tid));
    constexpr auto kRseqConfiguration = static_cast<__ptrace_request>(0x420f);
    (void)ptrace(kRseqConfiguration, tid, sizeof thread.rseq, thread.rseq.data());
    (void)syscall(SYS_get_robust_list, tid, &thread.robust_list, &thread.robust_bytes);
    thread.pending = pending_signals(tid, false);
    registers_.push_back(now);
    blocked_.push_back(thread.blocked);
    image_.threads.push_back(std::move(thread));
  }
  return {};
}

}  // namespace krg::epm
