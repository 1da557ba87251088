// region_io/calls.h: system calls that read and write memory, for regions too.
//
// Model    as the calls without krg_ before their names, of which they make one. Where the kernel
//          can not wait for pages of a region (plain calls end with EFAULT there; `krgadm check`
//          tells), what of the arguments lies in one goes through memory of the process's own: the
//          program's loads and stores wait for their pages as ever, and the call never does. So
//          there is nothing that has to stay, nor to be tried again. Everywhere else they cost
//          some ns. A program that links krg::libc_io has these under their plain names.
// Threads  safe, as those are; also in signal handlers. Points of cancellation, as those.
// Blocks   as those; and until the pages are here, as loads and stores do.
// Source   docs/design/mm.md, "System calls"
#ifndef KRG_REGION_IO_CALLS_H
#define KRG_REGION_IO_CALLS_H

#include <stddef.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>

#ifdef __cplusplus
extern "C" {
#endif

// Errors as those, and: ENOMEM  no memory for what goes through; EFAULT  into a region that was
// attached to be read. What Region::protect() has made read-only is SIGSEGV, what was destroyed or
// lost SIGBUS, where the kernel would have said EFAULT. Bytes that were read before are lost then.
// Cost  about 5 us, and a copy of the bytes.
ssize_t krg_read(int fd, void* into, size_t bytes);
ssize_t krg_write(int fd, const void* from, size_t bytes);
ssize_t krg_pread(int fd, void* into, size_t bytes, off_t at);
ssize_t krg_pwrite(int fd, const void* from, size_t bytes, off_t at);
ssize_t krg_readv(int fd, const struct iovec* parts, int count);
ssize_t krg_writev(int fd, const struct iovec* parts, int count);
ssize_t krg_preadv(int fd, const struct iovec* parts, int count, off_t at);
ssize_t krg_pwritev(int fd, const struct iovec* parts, int count, off_t at);
ssize_t krg_recv(int fd, void* into, size_t bytes, int flags);
ssize_t krg_send(int fd, const void* from, size_t bytes, int flags);
ssize_t krg_recvfrom(int fd, void* into, size_t bytes, int flags, struct sockaddr* who,
                     socklen_t* who_bytes);
ssize_t krg_sendto(int fd, const void* from, size_t bytes, int flags, const struct sockaddr* to,
                   socklen_t to_bytes);
ssize_t krg_recvmsg(int fd, struct msghdr* message, int flags);
ssize_t krg_sendmsg(int fd, const struct msghdr* message, int flags);

#ifdef __cplusplus
}
#endif

#endif
