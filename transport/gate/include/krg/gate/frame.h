// gate/frame.h: what goes over a gate's unix socket: frames of a fixed header and a body.
//
// Model    both sides begin with a hello. Then the client sends requests, items, ends and cancels,
//          the server replies and items; `call` joins what belongs together, the client chooses it
//          and uses it once at a time. Descriptors travel beside the first byte of their frame. The
//          bytes are outside bytes: a frame that check() refuses ends the connection.
// Threads  immutable.
// Blocks   never.
// Source   docs/design/gate.md, "Control socket"; unix(7)
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "krg/error/result.h"

namespace krg::gate {

enum class FrameKind : std::uint8_t {
  hello = 1,  // call = kMagic, code = kVersion
  request,    // code = service, word = nanoseconds until the deadline; body = the request
  reply,      // code, native, word = an Error's code, native status and peer; body = the reply
  item,       // body = one item of a stream, in either direction
  end,        // client: no more items
  cancel,     // client: the answer is not wanted any more
};

struct FrameHeader {
  std::uint32_t size = 0;  // Of the body, which follows.
  FrameKind kind = FrameKind::hello;
  std::uint8_t fds = 0;
  std::uint16_t code = 0;
  std::uint32_t call = 0;
  std::int32_t native = 0;
  std::uint64_t word = 0;
};
static_assert(sizeof(FrameHeader) == 24 && offsetof(FrameHeader, fds) == 5 &&
              offsetof(FrameHeader, code) == 6 && offsetof(FrameHeader, call) == 8 &&
              offsetof(FrameHeader, native) == 12 && offsetof(FrameHeader, word) == 16);

inline constexpr std::uint32_t kMagic = 0x2147524b;  // "KRG!"
inline constexpr std::uint16_t kVersion = 2;         // 2: calls about objects say more.
inline constexpr std::uint32_t kBodyMax = 16u << 20;
inline constexpr std::uint8_t kFdsMax = 16;

// Errors  protocol_error  an unknown kind, a body or a number of descriptors above the bound.
//         too_large is never given: who sends an oversized frame lies about the rest, too.
Status check(const FrameHeader& header) noexcept;

// The Error of a reply, and back; codes that are not in our table become protocol_error.
FrameHeader reply_header(std::uint32_t call, const Error& error) noexcept;
Error error_of(const FrameHeader& reply) noexcept;

// Nanoseconds on the wire to a Duration; all ones is "never".
inline constexpr std::uint64_t kNoTimeout = ~std::uint64_t{0};

}  // namespace krg::gate
