#include "krg/ghost/frame.h"

#include <xxhash.h>

#include <algorithm>
#include <cstring>

namespace krg::ghost {
namespace {

constexpr std::size_t kChecksumBytes = sizeof(std::uint64_t);
constexpr std::size_t kSmallBodyMax = 4096;  // Of heads and ends.

// The body's checksum starts from the frame's place in the archive, and the head's from the body's.
std::uint64_t checksum(Bytes head, Bytes body, std::uint64_t offset) noexcept {
  const std::uint64_t of_body = XXH3_64bits_withSeed(body.data(), body.size(), offset);
  const Bytes rest = head.subspan(kChecksumBytes);
  return XXH3_64bits_withSeed(rest.data(), rest.size(), of_body);
}

bool holds_content(FrameKind kind) noexcept {
  return kind == FrameKind::fields || kind == FrameKind::run;
}

}  // namespace

bool is_name(std::string_view name) noexcept {
  const auto fits = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
  };
  return !name.empty() && name.size() <= kNameBytesMax && std::ranges::all_of(name, fits);
}

FrameHead frame_head(const Frame& frame, std::uint64_t offset) noexcept {
  FrameHead head{};
  wire::Encoder out{head};
  out.put<std::uint64_t>(0);
  out.put(static_cast<std::uint8_t>(frame.kind));
  out.put(frame.flags);
  out.put<std::uint16_t>(0);
  out.put(static_cast<std::uint32_t>(frame.body.size()));
  out.put(frame.plain);
  out.put<std::uint32_t>(0);
  out.put(frame.place);
  KRG_ASSERT(out.size() == kFrameHeadBytes);
  const std::uint64_t sum = checksum(head, frame.body, offset);
  std::memcpy(head.data(), &sum, sizeof sum);
  return head;
}

Result<std::size_t> body_size(Bytes head) noexcept {
  const Error damaged(Errc::corrupt, "a part of the archive is damaged");
  wire::Decoder in{head};
  in.get<std::uint64_t>();
  const auto kind = static_cast<FrameKind>(in.get<std::uint8_t>());
  const auto flags = in.get<std::uint8_t>();
  const auto zero = in.get<std::uint16_t>();
  const auto stored = in.get<std::uint32_t>();
  const auto plain = in.get<std::uint32_t>();
  const auto zero_too = in.get<std::uint32_t>();
  if (!in.ok() || kind < FrameKind::archive || kind > FrameKind::archive_end) return damaged;
  if (zero != 0 || zero_too != 0 || (flags & ~kPackedFlag) != 0) return damaged;
  const bool packed = flags != 0;
  if (packed ? stored >= plain : stored != plain) return damaged;
  if (packed && !holds_content(kind)) return damaged;
  if (plain > (holds_content(kind) ? kPieceBytes : kSmallBodyMax)) return damaged;
  return stored;
}

Result<Frame> parse_frame(Bytes whole, std::uint64_t offset) noexcept {
  const Bytes head = whole.first(kFrameHeadBytes);
  Frame frame;
  frame.body = whole.subspan(kFrameHeadBytes);
  wire::Decoder in{head};
  const auto sum = in.get<std::uint64_t>();
  frame.kind = static_cast<FrameKind>(in.get<std::uint8_t>());
  frame.flags = in.get<std::uint8_t>();
  in.get<std::uint16_t>();
  in.get<std::uint32_t>();
  frame.plain = in.get<std::uint32_t>();
  in.get<std::uint32_t>();
  frame.place = in.get<std::uint64_t>();
  if (sum != checksum(head, frame.body, offset)) {
    return Error(Errc::corrupt, "a part of the archive is damaged");
  }
  return frame;
}

}  // namespace krg::ghost
