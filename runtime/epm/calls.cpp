#include "calls.h"

#include <sys/mman.h>
#include <sys/syscall.h>

#include <algorithm>
#include <csignal>

// r12 walks a table of {number, six arguments, result}; the number -1 ends it.
extern "C" const char krg_epm_loop_begin[], krg_epm_loop_end[];
asm(R"(
  .pushsection .rodata
  .globl krg_epm_loop_begin, krg_epm_loop_end
krg_epm_loop_begin:
1:mov (%r12), %rax
  cmp $-1, %rax
  je 2f
  mov 8(%r12), %rdi
  mov 16(%r12), %rsi
  mov 24(%r12), %rdx
  mov 32(%r12), %r10
  mov 40(%r12), %r8
  mov 48(%r12), %r9
  syscall
  mov %rax, 56(%r12)
  add $64, %r12
  jmp 1b
2:mov $186, %eax   # gettid
  syscall
  mov %eax, %edi
  mov $19, %esi    # SIGSTOP
  mov $200, %eax   # tkill
  syscall
3:jmp 3b
krg_epm_loop_end:
  .popsection
)");

namespace krg::epm {
namespace {

constexpr std::uint64_t kNoCall = ~std::uint64_t{0};

bool is_crash(int signal) {
  return signal == SIGSEGV || signal == SIGBUS || signal == SIGILL || signal == SIGFPE;
}

// Until the loop has stopped itself.
Status await_end(pid_t tid, std::vector<pid_t>* made) {
  while (true) {
    KRG_TRY_ASSIGN(const int status, wait_stop(tid));
    if (stop_event(status) == PTRACE_EVENT_CLONE) {
      unsigned long child = 0;
      if (ptrace(PTRACE_GETEVENTMSG, tid, nullptr, &child) == 0 && made != nullptr) {
        made->push_back(static_cast<pid_t>(child));
      }
    } else if (stop_event(status) == 0) {
      if (stop_signal(status) == SIGSTOP) return {};
      if (is_crash(stop_signal(status))) {
        return Error(Errc::system_error, "the process crashed in a call that it was made to do");
      }
    }
    KRG_TRY(cont(tid));
  }
}

}  // namespace

Result<std::uint64_t> call(pid_t tid, Registers base, std::uint64_t gadget, long number,
                           std::initializer_list<std::uint64_t> arguments) {
  std::uint64_t a[6] = {};
  std::copy(arguments.begin(), arguments.end(), a);
  base.rax = static_cast<std::uint64_t>(number);
  base.rdi = a[0];
  base.rsi = a[1];
  base.rdx = a[2];
  base.r10 = a[3];
  base.r8 = a[4];
  base.r9 = a[5];
  base.rip = gadget;
  base.orig_rax = ~0ull;
  KRG_TRY(set_registers(tid, base));
  for (int stops = 0; stops < 2;) {  // Where the call begins, and where it ends.
    if (ptrace(PTRACE_SYSCALL, tid, nullptr, nullptr) != 0) {
      return errno_error(Errc::system_error, "making a process do a system call");
    }
    KRG_TRY_ASSIGN(const int status, wait_stop(tid));
    if (stop_signal(status) == kSyscallStop) ++stops;
  }
  KRG_TRY_ASSIGN(const Registers after, registers(tid));
  return static_cast<std::uint64_t>(after.rax);
}

Result<Scratch> Scratch::map(pid_t pid, const Registers& base, std::uint64_t gadget,
                             std::uint64_t begin, std::uint64_t bytes) {
  constexpr std::uint64_t kRights = PROT_READ | PROT_WRITE | PROT_EXEC;
  const std::uint64_t flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE |
                              (begin == 0 ? 0u : static_cast<unsigned>(MAP_FIXED_NOREPLACE));
  KRG_TRY_ASSIGN(const std::uint64_t made,
                 call(pid, base, gadget, SYS_mmap,
                      {begin, bytes, kRights, flags, ~std::uint64_t{0}, std::uint64_t{0}}));
  if (is_error(made)) return Error(Errc::no_memory, "no room for calls in the process");
  const Scratch scratch(pid, made, bytes);
  KRG_TRY(write_memory(pid, scratch.code(), krg_epm_loop_begin,
                       static_cast<std::size_t>(krg_epm_loop_end - krg_epm_loop_begin)));
  return scratch;
}

Result<std::uint64_t> Scratch::room(std::size_t bytes) {
  const std::uint64_t here = at_;
  if (bytes > begin_ + bytes_ - here) return Error(Errc::limit_reached, "too much for one batch");
  at_ += (bytes + 15) / 16 * 16;
  return here;
}

Result<std::uint64_t> Scratch::put(const void* from, std::size_t bytes) {
  KRG_TRY_ASSIGN(const std::uint64_t here, room(bytes));
  if (bytes != 0) KRG_TRY(write_memory(pid_, here, from, bytes));
  return here;
}

std::size_t Batch::add(long number, std::initializer_list<std::uint64_t> arguments) {
  Call one;
  one.number = static_cast<std::uint64_t>(number);
  std::copy(arguments.begin(), arguments.end(), one.arguments);
  calls_.push_back(one);
  return calls_.size() - 1;
}

Status Batch::run(pid_t tid, Registers base, const Scratch& scratch, std::vector<pid_t>* made) {
  for (std::size_t begin = 0; begin < calls_.size();) {
    const std::size_t count = std::min(calls_.size() - begin, scratch.calls_max());
    KRG_TRY(run_part(tid, base, scratch, begin, count, made));
    begin += count;
  }
  return {};
}

Status Batch::run_part(pid_t tid, Registers base, const Scratch& scratch, std::size_t begin,
                       std::size_t count, std::vector<pid_t>* made) {
  std::vector<Call> table(calls_.begin() + static_cast<std::ptrdiff_t>(begin),
                          calls_.begin() + static_cast<std::ptrdiff_t>(begin + count));
  table.emplace_back().number = kNoCall;
  KRG_TRY(write_memory(scratch.pid(), scratch.table(), table.data(), table.size() * sizeof(Call)));
  base.rip = scratch.code();
  base.r12 = scratch.table();
  base.rax = 0;
  base.orig_rax = ~0ull;
  KRG_TRY(set_registers(tid, base));
  KRG_TRY(cont(tid));
  KRG_TRY(await_end(tid, made));
  return read_memory(scratch.pid(), scratch.table(), &calls_[begin], count * sizeof(Call));
}

std::size_t Batch::first_failed(std::size_t begin) const noexcept {
  while (begin < calls_.size() && !is_error(calls_[begin].result)) ++begin;
  return begin;
}

}  // namespace krg::epm
