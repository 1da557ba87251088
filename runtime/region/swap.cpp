#include "swap.h"

#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include <cerrno>
#include <cinttypes>
#include <cstdio>
#include <fstream>
#include <string>

namespace krg {
namespace {

#if defined(__x86_64__)
// All in registers: see the head of swap.h.
long copy_and_move(const Swap& swap) noexcept {
  std::uintptr_t to = swap.copy_to, from = swap.copy_from;
  std::size_t count = swap.copied;
  long result = SYS_mremap;
  register long flags asm("r10") = MREMAP_MAYMOVE | MREMAP_FIXED;
  register std::uintptr_t place asm("r8") = swap.place;
  asm volatile(
      "rep movsb\n\t"
      "mov %[aside], %%rdi\n\t"
      "mov %[bytes], %%rsi\n\t"
      "mov %[bytes], %%rdx\n\t"
      "syscall"
      : "+a"(result), "+D"(to), "+S"(from), "+c"(count)
      : [aside] "r"(swap.aside), [bytes] "r"(swap.bytes), "r"(flags), "r"(place)
      : "rdx", "r11", "memory");
  return result;
}
#else
long copy_and_move(const Swap&) noexcept { return -ENOSYS; }
#endif

}  // namespace

Status swap_in(const Swap& swap) {
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  const long done = copy_and_move(swap);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (done == static_cast<long>(swap.place)) return {};
  if (done == -ENOSYS) return Error(Errc::not_supported, "memory exchanged on this processor");
  errno = static_cast<int>(-done);
  return errno_error(Errc::system_error, "mremap");
}

Status check_own_memory(std::uintptr_t begin, std::size_t bytes) {
  std::ifstream maps("/proc/self/maps");
  std::uintptr_t good = begin;  // Up to here.
  for (std::string line; good < begin + bytes && std::getline(maps, line);) {
    std::uintptr_t first = 0, end = 0;
    char rights[8] = {};
    if (std::sscanf(line.c_str(), "%" SCNxPTR "-%" SCNxPTR " %7s", &first, &end, rights) != 3)
      break;
    if (end <= good) continue;
    const std::string is(rights);
    if (first > good || is[0] != 'r' || is[1] != 'w' || is.back() != 'p') break;
    good = end;
  }
  if (bytes > 0 && good >= begin + bytes) return {};
  return Error(Errc::invalid_argument, "not memory that this process alone has and may write");
}

}  // namespace krg
