#include "krg/ghost/reader.h"

#include <algorithm>
#include <cstring>

#include "krg/ghost/frame.h"
#include "packer.h"

namespace krg::ghost {
namespace {

constexpr Error kMisplaced(Errc::corrupt, "a part of the archive is where it can not be");
constexpr Error kMalformed(Errc::corrupt, "a part of the archive is malformed");

template <class T>
Result<T> decode_body(const Frame& frame) {
  auto message = wire::decode<T>(frame.body);
  if (!message) return kMalformed;
  return message;
}

bool is_right(const SectionHead& head) noexcept {
  return is_name(head.name) && head.need <= Need::optional && head.packing <= Packing::zstd;
}

}  // namespace

Reader::Reader(Source& source) noexcept : source_(source) {}
Reader::Reader(Source& source, std::span<const Known> known) noexcept
    : source_(source), known_(known) {}
Reader::~Reader() = default;

Error Reader::fail(Error error) noexcept {
  if (error == Errc::would_block) return error;
  if (error == Errc::end_of_stream) error = Error(Errc::corrupt, "the archive is cut off");
  if (!failed_) failed_ = error;
  return *failed_;
}

// The next frame, whole and checked, but not taken.
Result<Frame> Reader::look() {
  if (failed_) return *failed_;
  offset_ = next_offset_;
  const auto head = source_.peek(kFrameHeadBytes);
  if (!head) return fail(head.error());
  const auto size = body_size(*head);
  if (!size) return fail(size.error());
  const auto whole = source_.peek(kFrameHeadBytes + *size);
  if (!whole) return fail(whole.error());
  auto frame = parse_frame(*whole, offset_);
  if (!frame) return fail(frame.error());
  return frame;
}

void Reader::take(const Frame& frame) noexcept {
  source_.consume(frame.size());
  next_offset_ += frame.size();
}

Result<ArchiveHead> Reader::head() {
  if (failed_) return *failed_;
  if (at_ != At::start) return head_;
  if (next_offset_ == 0) {
    const auto magic = source_.peek(kMagic.size());
    if (!magic) return fail(magic.error());
    if (std::memcmp(magic->data(), kMagic.data(), kMagic.size()) != 0) {
      return fail(Error(Errc::version_mismatch, "this is no archive of krg"));
    }
    source_.consume(kMagic.size());
    next_offset_ = kMagic.size();
  }
  KRG_TRY_ASSIGN(const Frame frame, look());
  if (frame.kind != FrameKind::archive) return fail(kMisplaced);
  const auto begin = decode_body<Begin>(frame);
  if (!begin || !is_name(begin->head.kind)) return fail(kMalformed);
  if (begin->format != kFormat) {
    return fail(Error(Errc::version_mismatch, "an archive of another version of krg"));
  }
  head_ = begin->head;
  take(frame);
  at_ = At::between;
  return head_;
}

Result<bool> Reader::is_wanted(const SectionHead& head) {
  if (!known_) return true;
  const auto same = [&](const Known& known) { return known.name == head.name; };
  const auto known = std::ranges::find_if(*known_, same);
  if (known != known_->end() && head.version <= known->version) return true;
  if (head.need == Need::optional) return false;
  refused_ = "section '" + head.name + "' version " + std::to_string(head.version);
  return fail(Error(Errc::not_supported, known == known_->end()
                                             ? "a required section of the archive is unknown"
                                             : "a required section is of a later version"));
}

Result<std::optional<SectionHead>> Reader::next() {
  KRG_TRY(head());
  for (;;) {
    while (at_ == At::in_section) {
      KRG_TRY_ASSIGN(const auto rest, part());
      if (!rest) break;
      KRG_TRY(content(*rest));
      take(*rest);
    }
    if (at_ == At::ended) return std::optional<SectionHead>();
    at_ = At::between;
    KRG_TRY_ASSIGN(const Frame frame, look());
    if (frame.kind == FrameKind::archive_end) {
      KRG_TRY(end_archive(frame));
      return std::optional<SectionHead>();
    }
    if (frame.kind != FrameKind::section) return fail(kMisplaced);
    auto section = decode_body<SectionHead>(frame);
    if (!section || !is_right(*section)) return fail(kMalformed);
    KRG_TRY_ASSIGN(const bool wanted, is_wanted(*section));
    take(frame);
    ++sections_;
    counts_ = {};
    fields_.clear();
    at_ = At::in_section;
    if (wanted) return std::optional(std::move(*section));
  }
}

// The next part of the section, not taken; nothing at its end, which is.
Result<std::optional<Frame>> Reader::part() {
  if (at_ == At::section_done) return std::optional<Frame>();
  KRG_TRY_ASSIGN(const Frame frame, look());
  switch (frame.kind) {
    case FrameKind::fields:
    case FrameKind::run:
    case FrameKind::hole:
      return std::optional(frame);
    case FrameKind::section_end:
      break;
    default:
      return fail(kMisplaced);
  }
  KRG_TRY(end_section(frame));
  return std::optional<Frame>();
}

Status Reader::end_section(const Frame& frame) {
  const auto end = decode_body<SectionEnd>(frame);
  if (!end) return fail(kMalformed);
  if (end->parts != counts_.parts || end->content != counts_.content) {
    return fail(Error(Errc::corrupt, "a section of the archive has lost a part"));
  }
  take(frame);
  at_ = At::section_done;
  return {};
}

Status Reader::end_archive(const Frame& frame) {
  const auto end = decode_body<ArchiveEnd>(frame);
  if (!end) return fail(kMalformed);
  if (end->sections != sections_) {
    return fail(Error(Errc::corrupt, "the archive has lost a section"));
  }
  take(frame);
  at_ = At::ended;
  return {};
}

// What the part holds, unpacked. Counts it: once for every part.
Result<Bytes> Reader::content(const Frame& frame) {
  Bytes plain = frame.body;
  if (frame.kind == FrameKind::hole) plain = {};
  if (frame.is_packed()) {
    if (packer_ == nullptr) packer_ = std::make_unique<Packer>();
    const auto unpacked = packer_->unpack(frame.body, frame.plain);
    if (!unpacked) return fail(unpacked.error());
    plain = *unpacked;
  }
  ++counts_.parts;
  counts_.stored += frame.size();
  counts_.content += plain.size();
  return plain;
}

Result<bool> Reader::holds_fields() {
  if (failed_) return *failed_;
  KRG_ASSERT(at_ == At::in_section || at_ == At::section_done);
  KRG_TRY_ASSIGN(const auto frame, part());
  return !frame || frame->kind == FrameKind::fields;
}

Result<Bytes> Reader::fields() {
  if (failed_) return *failed_;
  KRG_ASSERT(at_ == At::in_section || at_ == At::section_done);
  while (at_ == At::in_section) {
    KRG_TRY_ASSIGN(const auto frame, part());
    if (!frame) break;
    if (frame->kind != FrameKind::fields) {
      return fail(Error(Errc::corrupt, "a section holds memory instead of fields"));
    }
    KRG_TRY_ASSIGN(const Bytes bytes, content(*frame));
    if (bytes.size() > kFieldsBytesMax - fields_.size()) {
      return fail(Error(Errc::corrupt, "a section of the archive is too large"));
    }
    fields_.insert(fields_.end(), bytes.begin(), bytes.end());
    take(*frame);
  }
  return Bytes(fields_);
}

Result<std::optional<Run>> Reader::run() {
  if (failed_) return *failed_;
  KRG_ASSERT(at_ == At::in_section || at_ == At::section_done);
  KRG_TRY_ASSIGN(const auto frame, part());
  if (!frame) return std::optional<Run>();
  if (frame->kind == FrameKind::fields) {
    return fail(Error(Errc::corrupt, "a section holds fields instead of memory"));
  }
  Run run;
  run.address = frame->place;
  KRG_TRY_ASSIGN(run.bytes, content(*frame));
  run.length = run.bytes.size();
  if (frame->kind == FrameKind::hole) {
    const auto hole = decode_body<Hole>(*frame);
    if (!hole) return fail(kMalformed);
    run.length = hole->length;
  }
  if (run.length == 0 || run.address + (run.length - 1) < run.address) return fail(kMalformed);
  // The source's bytes stay valid until it is asked again.
  take(*frame);
  return std::optional(run);
}

}  // namespace krg::ghost
