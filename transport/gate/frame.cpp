#include "krg/gate/frame.h"

namespace krg::gate {

Status check(const FrameHeader& header) noexcept {
  if (header.kind < FrameKind::hello || header.kind > FrameKind::cancel) {
    return Error(Errc::protocol_error, "gate: unknown kind of frame");
  }
  if (header.size > kBodyMax) return Error(Errc::protocol_error, "gate: frame too large");
  if (header.fds > kFdsMax) return Error(Errc::protocol_error, "gate: too many descriptors");
  return {};
}

FrameHeader reply_header(std::uint32_t call, const Error& error) noexcept {
  FrameHeader header;
  header.kind = FrameKind::reply;
  header.call = call;
  header.code = static_cast<std::uint16_t>(error.code());
  header.native = error.native();
  header.word = error.peer().value;
  return header;
}

Error error_of(const FrameHeader& reply) noexcept {
  if (!is_errc(reply.code)) return Error(Errc::protocol_error, "gate: unknown error code");
  Error error = Error(static_cast<Errc>(reply.code)).with_native(reply.native);
  if (reply.word < kNoNode.value) {
    error = error.with_peer(NodeId{static_cast<std::uint32_t>(reply.word)});
  }
  return error;
}

}  // namespace krg::gate
