// link/frame.h: the frames of a proven link. No socket, no clock.
//
// Model    a frame is 8 bytes of header (payload size, type, zeros), the payload, and a 16-byte
// keyed BLAKE2b
//          over the frame's number in the session, header and payload; so a frame that is changed,
//          left out, repeated or sent back to its sender is refused, and with it the connection.
// Threads  owned by one thread.
// Blocks   never.
// Source   docs/design/wire.md, "Frames of the link"
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "krg/error/result.h"

namespace krg::link {

using MacKey = std::array<std::byte, 32>;

enum class FrameType : std::uint8_t {
  verdict = 1,   // Responder to initiator: whether this connection is to be used.
  greeting = 2,  // Each side, once: provider, locality, addresses.
  message = 3,
  bye = 4,
};

inline constexpr std::size_t kFrameHeader = 8;
inline constexpr std::size_t kFrameMac = 16;
inline constexpr std::size_t kPayloadMax = 64 * 1024;

struct Frame {
  FrameType type = FrameType::message;
  std::span<const std::byte> payload;
};

class FrameWriter {
 public:
  explicit FrameWriter(const MacKey& key) noexcept : key_(key) {}
  // Appends one frame to `out`.
  // Requires  payload.size() <= kPayloadMax.
  void append(std::vector<std::byte>& out, FrameType type, std::span<const std::byte> payload);

 private:
  MacKey key_;
  std::uint64_t number_ = 0;
};

class FrameReader {
 public:
  explicit FrameReader(const MacKey& key) noexcept : key_(key) {}

  // Adds bytes that came. Holds no more than these and one unfinished frame, if next() is called
  // until it gives nothing.
  void push(std::span<const std::byte> bytes);
  // The next whole frame, if there is one; its payload is valid until the next push().
  // Errors  protocol_error  a size or type that no frame has.
  //         auth_failed     not written by the peer, or not now. Either is final.
  Result<std::optional<Frame>> next();

 private:
  MacKey key_;
  std::uint64_t number_ = 0;
  std::vector<std::byte> bytes_;
  std::size_t at_ = 0;
  std::optional<Error> failed_;
};

}  // namespace krg::link
