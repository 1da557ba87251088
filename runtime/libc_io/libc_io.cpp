// libc_io: the system calls of krg/region_io/calls.h under the names that programs know.
//
// Model    a program that links this has them in place of the C library's, and so have the shared
//          libraries it loads. What the C library calls within itself (stdio) stays as it is.
// Threads  safe.
// Blocks   as the calls do.
// Source   docs/design/mm.md, "System calls"; ld.so(8)
#include "krg/region_io/calls.h"

// Not <unistd.h>: its declarations may be macros that check sizes.
extern "C" {

[[noreturn]] void __chk_fail();

ssize_t read(int fd, void* into, size_t bytes) { return krg_read(fd, into, bytes); }
ssize_t write(int fd, const void* from, size_t bytes) { return krg_write(fd, from, bytes); }
ssize_t pread(int fd, void* into, size_t bytes, off_t at) { return krg_pread(fd, into, bytes, at); }
ssize_t pwrite(int fd, const void* from, size_t bytes, off_t at) {
  return krg_pwrite(fd, from, bytes, at);
}
ssize_t pread64(int fd, void* into, size_t bytes, off_t at) {
  return krg_pread(fd, into, bytes, at);
}
ssize_t pwrite64(int fd, const void* from, size_t bytes, off_t at) {
  return krg_pwrite(fd, from, bytes, at);
}

ssize_t readv(int fd, const iovec* parts, int count) { return krg_readv(fd, parts, count); }
ssize_t writev(int fd, const iovec* parts, int count) { return krg_writev(fd, parts, count); }
ssize_t preadv(int fd, const iovec* parts, int count, off_t at) {
  return krg_preadv(fd, parts, count, at);
}
ssize_t pwritev(int fd, const iovec* parts, int count, off_t at) {
  return krg_pwritev(fd, parts, count, at);
}
ssize_t preadv64(int fd, const iovec* parts, int count, off_t at) {
  return krg_preadv(fd, parts, count, at);
}
ssize_t pwritev64(int fd, const iovec* parts, int count, off_t at) {
  return krg_pwritev(fd, parts, count, at);
}
ssize_t recv(int fd, void* into, size_t bytes, int flags) {
  return krg_recv(fd, into, bytes, flags);
}
ssize_t send(int fd, const void* from, size_t bytes, int flags) {
  return krg_send(fd, from, bytes, flags);
}
ssize_t recvfrom(int fd, void* into, size_t bytes, int flags, sockaddr* who, socklen_t* who_bytes) {
  return krg_recvfrom(fd, into, bytes, flags, who, who_bytes);
}
ssize_t sendto(int fd, const void* from, size_t bytes, int flags, const sockaddr* to,
               socklen_t to_bytes) {
  return krg_sendto(fd, from, bytes, flags, to, to_bytes);
}
ssize_t recvmsg(int fd, msghdr* message, int flags) { return krg_recvmsg(fd, message, flags); }
ssize_t sendmsg(int fd, const msghdr* message, int flags) {
  return krg_sendmsg(fd, message, flags);
}

// What programs call that were built with _FORTIFY_SOURCE.
ssize_t __read_chk(int fd, void* into, size_t bytes, size_t room) {
  if (bytes > room) __chk_fail();
  return krg_read(fd, into, bytes);
}
ssize_t __pread_chk(int fd, void* into, size_t bytes, off_t at, size_t room) {
  if (bytes > room) __chk_fail();
  return krg_pread(fd, into, bytes, at);
}
ssize_t __pread64_chk(int fd, void* into, size_t bytes, off_t at, size_t room) {
  if (bytes > room) __chk_fail();
  return krg_pread(fd, into, bytes, at);
}
ssize_t __recv_chk(int fd, void* into, size_t bytes, size_t room, int flags) {
  if (bytes > room) __chk_fail();
  return krg_recv(fd, into, bytes, flags);
}
ssize_t __recvfrom_chk(int fd, void* into, size_t bytes, size_t room, int flags, sockaddr* who,
                       socklen_t* who_bytes) {
  if (bytes > room) __chk_fail();
  return krg_recvfrom(fd, into, bytes, flags, who, who_bytes);
}

}  // extern "C"
