#include "krg/region_io/calls.h"

#include <dlfcn.h>
#include <unistd.h>

#include <cerrno>
#include <climits>

#include "krg/region/spans.h"
#include "through.h"

namespace {

using krg::Through;

// The C library's own, also where a program has these here under their names.
#define KRG_NEXT(name) \
  static auto* const next = reinterpret_cast<decltype(&name)>(::dlsym(RTLD_NEXT, #name))

msghdr message_of(const iovec* parts, std::size_t count) noexcept {
  msghdr message{};
  message.msg_iov = const_cast<iovec*>(parts);
  message.msg_iovlen = count;
  return message;
}

bool is_list(int count) noexcept { return count > 0 && count <= IOV_MAX; }

ssize_t fail(const Through& through) noexcept {
  errno = through.error();
  return -1;
}

// `call` takes a list of parts.
template <class Call>
ssize_t with_parts(const iovec* parts, int count, Through::Way way, Call&& call) {
  if (!is_list(count)) return call(parts, count);  // It says what is wrong.
  const msghdr message = message_of(parts, static_cast<std::size_t>(count));
  Through through(message, way);
  if (!through.needed()) return call(parts, count);
  if (through.error() != 0) return fail(through);
  const ssize_t done = call(through.parts(), count);
  if (done > 0 && way == Through::Way::in) through.deliver(static_cast<std::size_t>(done));
  return done;
}

// `call` takes the beginning of `bytes` bytes.
template <class Call>
ssize_t with_bytes(const void* at, std::size_t bytes, Through::Way way, Call&& call) {
  const iovec part{const_cast<void*>(at), bytes};
  return with_parts(&part, 1, way, [&](const iovec* parts, int) { return call(parts->iov_base); });
}

}  // namespace

ssize_t krg_read(int fd, void* into, size_t bytes) {
  KRG_NEXT(read);
  return with_bytes(into, bytes, Through::Way::in, [&](void* at) { return next(fd, at, bytes); });
}

ssize_t krg_write(int fd, const void* from, size_t bytes) {
  KRG_NEXT(write);
  return with_bytes(from, bytes, Through::Way::out, [&](void* at) { return next(fd, at, bytes); });
}

ssize_t krg_pread(int fd, void* into, size_t bytes, off_t at) {
  KRG_NEXT(pread);
  return with_bytes(into, bytes, Through::Way::in,
                    [&](void* own) { return next(fd, own, bytes, at); });
}

ssize_t krg_pwrite(int fd, const void* from, size_t bytes, off_t at) {
  KRG_NEXT(pwrite);
  return with_bytes(from, bytes, Through::Way::out,
                    [&](void* own) { return next(fd, own, bytes, at); });
}

ssize_t krg_readv(int fd, const iovec* parts, int count) {
  KRG_NEXT(readv);
  return with_parts(parts, count, Through::Way::in,
                    [&](const iovec* own, int n) { return next(fd, own, n); });
}

ssize_t krg_writev(int fd, const iovec* parts, int count) {
  KRG_NEXT(writev);
  return with_parts(parts, count, Through::Way::out,
                    [&](const iovec* own, int n) { return next(fd, own, n); });
}

ssize_t krg_preadv(int fd, const iovec* parts, int count, off_t at) {
  KRG_NEXT(preadv);
  return with_parts(parts, count, Through::Way::in,
                    [&](const iovec* own, int n) { return next(fd, own, n, at); });
}

ssize_t krg_pwritev(int fd, const iovec* parts, int count, off_t at) {
  KRG_NEXT(pwritev);
  return with_parts(parts, count, Through::Way::out,
                    [&](const iovec* own, int n) { return next(fd, own, n, at); });
}

ssize_t krg_recvmsg(int fd, msghdr* message, int flags) {
  KRG_NEXT(recvmsg);
  if (message == nullptr || message->msg_iovlen > IOV_MAX) return next(fd, message, flags);
  // A header that lies in a region is read and written here, by loads and stores.
  msghdr given = *message;
  Through through(given, Through::Way::in);
  const bool header = krg::overlapping(message, sizeof *message) != krg::Span::none;
  if (!through.needed() && !header) return next(fd, message, flags);
  if (through.error() != 0) return fail(through);
  msghdr& own = through.message();
  const ssize_t done = next(fd, &own, flags);
  if (done < 0) return done;
  through.deliver(static_cast<std::size_t>(done));
  message->msg_namelen = own.msg_namelen;
  message->msg_controllen = own.msg_controllen;
  message->msg_flags = own.msg_flags;
  return done;
}

ssize_t krg_sendmsg(int fd, const msghdr* message, int flags) {
  KRG_NEXT(sendmsg);
  if (message == nullptr || message->msg_iovlen > IOV_MAX) return next(fd, message, flags);
  const msghdr given = *message;
  Through through(given, Through::Way::out);
  if (!through.needed()) return next(fd, message, flags);
  return through.error() != 0 ? fail(through) : next(fd, &through.message(), flags);
}

ssize_t krg_recvfrom(int fd, void* into, size_t bytes, int flags, sockaddr* who,
                     socklen_t* who_bytes) {
  KRG_NEXT(recvfrom);
  iovec part{into, bytes};
  msghdr message = message_of(&part, 1);
  message.msg_name = who;
  message.msg_namelen = who != nullptr && who_bytes != nullptr ? *who_bytes : 0;
  const bool is_own = krg::overlapping(into, bytes) == krg::Span::none &&
                      krg::overlapping(who, message.msg_namelen) == krg::Span::none &&
                      krg::overlapping(who_bytes, sizeof *who_bytes) == krg::Span::none;
  if (is_own) return next(fd, into, bytes, flags, who, who_bytes);
  const ssize_t done = krg_recvmsg(fd, &message, flags);
  if (done >= 0 && who_bytes != nullptr) *who_bytes = message.msg_namelen;
  return done;
}

ssize_t krg_sendto(int fd, const void* from, size_t bytes, int flags, const sockaddr* to,
                   socklen_t to_bytes) {
  KRG_NEXT(sendto);
  if (krg::overlapping(from, bytes) == krg::Span::none &&
      krg::overlapping(to, to_bytes) == krg::Span::none) {
    return next(fd, from, bytes, flags, to, to_bytes);
  }
  iovec part{const_cast<void*>(from), bytes};
  msghdr message = message_of(&part, 1);
  message.msg_name = const_cast<sockaddr*>(to);
  message.msg_namelen = to_bytes;
  return krg_sendmsg(fd, &message, flags);
}

ssize_t krg_recv(int fd, void* into, size_t bytes, int flags) {
  return krg_recvfrom(fd, into, bytes, flags, nullptr, nullptr);
}

ssize_t krg_send(int fd, const void* from, size_t bytes, int flags) {
  return krg_sendto(fd, from, bytes, flags, nullptr, 0);
}
