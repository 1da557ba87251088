#include "krg/link/frame.h"

#include <cstring>

#include "crypto.h"
#include "krg/base/assert.h"
#include "krg/wire/decoder.h"
#include "krg/wire/encoder.h"

namespace krg::link {
namespace {

using Header = std::array<std::byte, kFrameHeader>;

Header make_header(FrameType type, std::size_t size) noexcept {
  Header header{};
  wire::Encoder out{header};
  out.put(static_cast<std::uint32_t>(size));
  out.put(static_cast<std::uint8_t>(type));
  return header;
}

std::array<std::byte, kFrameMac> frame_mac(const MacKey& key, std::uint64_t number,
                                           std::span<const std::byte> header,
                                           std::span<const std::byte> payload) noexcept {
  std::array<std::byte, kFrameMac> mac;
  Mac(key, mac.size()).add(number).add(header).add(payload).finish(mac);
  return mac;
}

void append_bytes(std::vector<std::byte>& out, std::span<const std::byte> bytes) {
  out.insert(out.end(), bytes.begin(), bytes.end());
}

}  // namespace

void FrameWriter::append(std::vector<std::byte>& out, FrameType type,
                         std::span<const std::byte> payload) {
  KRG_ASSERT(payload.size() <= kPayloadMax);
  const Header header = make_header(type, payload.size());
  const auto mac = frame_mac(key_, number_++, header, payload);
  append_bytes(out, header);
  append_bytes(out, payload);
  append_bytes(out, mac);
}

void FrameReader::push(std::span<const std::byte> bytes) {
  bytes_.erase(bytes_.begin(), bytes_.begin() + static_cast<std::ptrdiff_t>(at_));
  at_ = 0;
  append_bytes(bytes_, bytes);
}

Result<std::optional<Frame>> FrameReader::next() {
  if (failed_) return *failed_;
  const std::span<const std::byte> left = std::span(bytes_).subspan(at_);
  if (left.size() < kFrameHeader) return std::optional<Frame>{};

  wire::Decoder in{left};
  const std::size_t size = in.get<std::uint32_t>();
  const auto type = in.get<std::uint8_t>();
  const auto header = left.first(kFrameHeader);
  // The header is not proven yet; all that it can do is to make us wait for at most kPayloadMax
  // bytes.
  const bool known = type >= static_cast<std::uint8_t>(FrameType::verdict) &&
                     type <= static_cast<std::uint8_t>(FrameType::bye);
  if (size > kPayloadMax || !known) {
    failed_ = Error(Errc::protocol_error, "not a frame");
    return *failed_;
  }
  if (left.size() < kFrameHeader + size + kFrameMac) return std::optional<Frame>{};

  const auto payload = left.subspan(kFrameHeader, size);
  const auto mac = left.subspan(kFrameHeader + size, kFrameMac);
  if (!equal(mac, frame_mac(key_, number_, header, payload))) {
    failed_ = Error(Errc::auth_failed, "frame with a wrong authenticator");
    return *failed_;
  }
  ++number_;
  at_ += kFrameHeader + size + kFrameMac;
  return std::optional(Frame{static_cast<FrameType>(type), payload});
}

}  // namespace krg::link
