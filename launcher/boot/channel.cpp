#include "krg/boot/channel.h"

#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <span>

namespace krg::boot {
namespace {

using Clock = std::chrono::steady_clock;

// Init with 65,535 long host names fits.
constexpr std::uint32_t kInitMax = 16 << 20;

Status read_all(int fd, std::span<std::byte> into, Clock::time_point end) {
  std::size_t got = 0;
  while (got < into.size()) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(end - Clock::now()).count();
    pollfd one{fd, POLLIN, 0};
    const int ready = left <= 0 ? 0 : poll(&one, 1, static_cast<int>(left));
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0) return Error(Errc::timed_out, "waiting for the launcher");
    const ssize_t n = read(fd, into.data() + got, into.size() - got);
    if (n < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (n < 0) return errno_error(Errc::system_error, "reading from the launcher");
    if (n == 0) return Error(Errc::end_of_stream, "the launcher is gone");
    got += static_cast<std::size_t>(n);
  }
  return {};
}

}  // namespace

Result<Init> read_init(int fd, std::chrono::milliseconds patience) {
  const Clock::time_point end = Clock::now() + patience;
  std::byte header[8];
  KRG_TRY(read_all(fd, header, end));
  wire::Decoder decoder{header};
  const auto length = decoder.get<std::uint32_t>();
  if (decoder.get<std::uint16_t>() != Init::kFrame || length > kInitMax) {
    return Error(Errc::protocol_error, "not started by krgrun or krgadm");
  }
  std::vector<std::byte> body(length);
  KRG_TRY(read_all(fd, body, end));
  // The version stands first, so that it can be read whatever follows.
  wire::Decoder first{body};
  std::string theirs;
  wire::get(first, theirs);
  if (!first.ok() || theirs != version()) {
    return Error(Errc::version_mismatch, "the launcher is of another version");
  }
  KRG_TRY_ASSIGN(Init init, wire::decode<Init>(body));
  if (init.hosts.empty() || init.first + init.hosts.size() > init.nodes) {
    return Error(Errc::protocol_error, "the launcher's plan makes no sense");
  }
  return init;
}

}  // namespace krg::boot
