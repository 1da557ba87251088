#include "krg/ghost/writer.h"

#include <algorithm>

#include "krg/ghost/frame.h"
#include "packer.h"

namespace krg::ghost {
namespace {

// A frame that is no content, around its encoded body.
Frame small_frame(FrameKind kind, Bytes body, std::uint64_t place = 0) {
  Frame frame;
  frame.kind = kind;
  frame.plain = static_cast<std::uint32_t>(body.size());
  frame.place = place;
  frame.body = body;
  return frame;
}

}  // namespace

Writer::Writer(Sink& sink) noexcept : sink_(sink) {}
Writer::~Writer() = default;

Status Writer::ready() {
  if (failed_) return *failed_;
  if (sink_.full()) return Error(Errc::would_block, "the sink is full");
  return {};
}

Status Writer::put(const Frame& frame) {
  if (failed_) return *failed_;
  const FrameHead head = frame_head(frame, offset_);
  const Status status = sink_.write(head, frame.body);
  if (!status) {
    failed_ = status.error();
    return status;
  }
  offset_ += frame.size();
  return {};
}

Status Writer::put_content(Frame frame) {
  const std::size_t plain = frame.body.size();
  frame.plain = static_cast<std::uint32_t>(plain);
  if (packing_ == Packing::zstd) {
    if (packer_ == nullptr) packer_ = std::make_unique<Packer>();
    if (const auto packed = packer_->pack(frame.body)) {
      frame.body = *packed;
      frame.flags = kPackedFlag;
    }
  }
  KRG_TRY(put(frame));
  ++parts_;
  content_ += plain;
  return {};
}

Status Writer::begin(const ArchiveHead& head) {
  KRG_ASSERT(at_ == At::start);
  KRG_ASSERT(is_name(head.kind));
  KRG_TRY(ready());
  if (const Status status = sink_.write(std::as_bytes(std::span(kMagic)), {}); !status) {
    failed_ = status.error();
    return status;
  }
  offset_ = kMagic.size();
  Begin begin{kFormat, head};
  begin.head.producer.resize(std::min(begin.head.producer.size(), kNameBytesMax));
  const auto body = wire::encode(begin);
  at_ = At::between;
  return put(small_frame(FrameKind::archive, body));
}

Status Writer::begin_section(const SectionHead& head) {
  KRG_ASSERT(at_ == At::between);
  KRG_ASSERT(is_name(head.name));
  parts_ = content_ = 0;
  packing_ = head.packing;
  const auto body = wire::encode(head);
  return put(small_frame(FrameKind::section, body));
}

Status Writer::end_section() {
  const auto body = wire::encode(SectionEnd{parts_, content_});
  KRG_TRY(put(small_frame(FrameKind::section_end, body)));
  ++sections_;
  return {};
}

Status Writer::fields(const SectionHead& head, Bytes encoded) {
  if (encoded.size() > kFieldsBytesMax) return Error(Errc::too_large, "a section of fields");
  KRG_TRY(ready());
  KRG_TRY(begin_section(head));
  while (!encoded.empty()) {
    Frame frame;
    frame.kind = FrameKind::fields;
    frame.body = encoded.first(std::min(encoded.size(), kPieceBytes));
    encoded = encoded.subspan(frame.body.size());
    KRG_TRY(put_content(frame));
  }
  return end_section();
}

Status Writer::begin_runs(const SectionHead& head) {
  KRG_TRY(ready());
  KRG_TRY(begin_section(head));
  at_ = At::in_runs;
  return {};
}

Status Writer::run(std::uint64_t address, Bytes bytes) {
  KRG_ASSERT(at_ == At::in_runs);
  KRG_ASSERT(!bytes.empty() && bytes.size() <= kPieceBytes);
  KRG_ASSERT(address + (bytes.size() - 1) >= address);
  KRG_TRY(ready());
  Frame frame;
  frame.kind = FrameKind::run;
  frame.place = address;
  frame.body = bytes;
  return put_content(frame);
}

Status Writer::hole(std::uint64_t address, std::uint64_t length) {
  KRG_ASSERT(at_ == At::in_runs);
  KRG_ASSERT(length > 0 && address + (length - 1) >= address);
  KRG_TRY(ready());
  const auto body = wire::encode(Hole{length});
  KRG_TRY(put(small_frame(FrameKind::hole, body, address)));
  ++parts_;
  return {};
}

Status Writer::end_runs() {
  if (failed_) return *failed_;
  KRG_ASSERT(at_ == At::in_runs);
  at_ = At::between;
  return end_section();
}

Status Writer::end() {
  if (failed_) return *failed_;
  KRG_ASSERT(at_ == At::between);
  at_ = At::ended;
  const auto body = wire::encode(ArchiveEnd{sections_});
  return put(small_frame(FrameKind::archive_end, body));
}

}  // namespace krg::ghost
