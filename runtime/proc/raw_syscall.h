// raw_syscall.h: a system call that does not touch errno.
//
// Model    for the time between clone(CLONE_VM) and execve, in which a child runs in its parent's
//          memory with its parent's thread-local storage: there errno is the parent's.
// Threads  safe.
// Blocks   as the call does.
// Source   syscall(2), "Architecture calling conventions"
#pragma once

#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

namespace krg::proc {

#if defined(__x86_64__)

// The result, or -errno.
template <class... Arguments>
long raw_syscall(long number, Arguments... arguments) noexcept {
  static_assert(sizeof...(Arguments) <= 4);
  const long a[4] = {(long)arguments...};  // NOLINT: pointers and numbers alike
  register long fourth asm("r10") = a[3];
  long result;
  asm volatile("syscall"
               : "=a"(result)
               : "a"(number), "D"(a[0]), "S"(a[1]), "d"(a[2]), "r"(fourth)
               : "rcx", "r11", "memory");
  return result;
}
inline constexpr bool kRawSyscalls = true;

#elif defined(__aarch64__)

template <class... Arguments>
long raw_syscall(long number, Arguments... arguments) noexcept {
  static_assert(sizeof...(Arguments) <= 4);
  const long a[4] = {(long)arguments...};  // NOLINT: pointers and numbers alike
  register long which asm("x8") = number;
  register long x0 asm("x0") = a[0];
  register long x1 asm("x1") = a[1];
  register long x2 asm("x2") = a[2];
  register long x3 asm("x3") = a[3];
  asm volatile("svc 0" : "+r"(x0) : "r"(which), "r"(x1), "r"(x2), "r"(x3) : "memory");
  return x0;
}
inline constexpr bool kRawSyscalls = true;

#else

// It does touch errno: the parent must not run meanwhile.
template <class... Arguments>
long raw_syscall(long number, Arguments... arguments) noexcept {
  const long result = syscall(number, arguments...);
  return result == -1 ? -errno : result;
}
inline constexpr bool kRawSyscalls = false;

#endif

}  // namespace krg::proc
