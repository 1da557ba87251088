// error/error.h: what went wrong, in 16 bytes.
//
// Model    a code of the one table errc.def, the peer it concerns, a native status (errno,
//          ucs_status_t, fi_errno) and a static text. Whoever first detects an error logs it;
//          nobody after.
// Threads  immutable.
// Blocks   never.
// Source   errc.def
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>

#include "krg/base/ids.h"

namespace krg {

enum class Errc : std::uint16_t {
  ok = 0,
#define KRG_ERRC(name, value, err, text) name = value,
#include "krg/error/errc.def"
#undef KRG_ERRC
};

// The table's sentence for a code; "unknown error" for one that is not in the table.
std::string_view text(Errc code) noexcept;
// The errno a C caller gets.
int to_errno(Errc code) noexcept;
// Whether `value`, read off the wire, is a code of the table.
bool is_errc(std::uint16_t value) noexcept;

class Error {
 public:
  constexpr Error() = default;
  // Requires  `what` has static storage: a literal. nullptr = the table's text alone.
  constexpr explicit Error(Errc code, const char* what = nullptr)  // NOLINT
      : what_(what), native_(0), peer_(kNone), code_(code) {}

  constexpr Error with_peer(NodeId peer) const {
    Error e = *this;
    e.peer_ = peer.value < kNone ? static_cast<std::uint16_t>(peer.value) : kNone;
    return e;
  }
  // The status of errno, UCX or libfabric; small by nature, so 32 bits do.
  constexpr Error with_native(int status) const {
    Error e = *this;
    e.native_ = status;
    return e;
  }

  constexpr Errc code() const { return code_; }
  constexpr bool has_peer() const { return peer_ != kNone; }
  constexpr NodeId peer() const { return has_peer() ? NodeId{peer_} : kNoNode; }
  constexpr int native() const { return native_; }
  constexpr const char* what() const { return what_; }
  constexpr bool operator==(Errc code) const { return code_ == code; }

  // "peer 3 is down: connection reset (native 104)"; for logs and for users.
  std::string message() const;

 private:
  static constexpr std::uint16_t kNone = 0xffff;

  const char* what_ = nullptr;
  std::int32_t native_ = 0;
  std::uint16_t peer_ = kNone;
  Errc code_ = Errc::ok;
};
static_assert(sizeof(Error) == 16 && std::is_trivially_copyable_v<Error>);

// An Error of the calling thread's errno.
Error errno_error(Errc code, const char* what) noexcept;

}  // namespace krg
