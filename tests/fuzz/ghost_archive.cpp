// Goal    no bytes that are said to be an archive harm their reader, or make it take more memory
//         than its bounds; and what was written is read again.
// Method  the first byte chooses: the bytes as they are; as the frames of an archive with right
//         checksums, so that what lies behind the checksums is reached; or as orders to a writer,
//         whose archive must be read as it was written.
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "krg/base/assert.h"
#include "krg/ghost/frame.h"
#include "krg/ghost/reader.h"
#include "krg/ghost/writer.h"

namespace krg::ghost {
namespace {

// Reads all that there is, in ways that `how` chooses.
Status read_all(Bytes bytes, unsigned how) {
  constexpr std::array kKnown{Known{"a", 1}, Known{"memory", 3}};
  MemorySource source(bytes);
  Reader everything(source);
  Reader some(source, kKnown);
  Reader& reader = how % 2 == 0 ? everything : some;
  for (;;) {
    KRG_TRY_ASSIGN(const auto section, reader.next());
    if (!section) return {};
    KRG_ASSERT(is_name(section->name));
    KRG_TRY_ASSIGN(const bool fields, reader.holds_fields());
    if (how % 3 == 0) continue;
    if (fields) {
      KRG_TRY_ASSIGN(const Bytes message, reader.fields());
      KRG_ASSERT(message.size() <= kFieldsBytesMax);
      continue;
    }
    for (;;) {
      KRG_TRY_ASSIGN(const auto run, reader.run());
      if (!run) break;
      KRG_ASSERT(run->length > 0 && run->bytes.size() <= kPieceBytes);
      KRG_ASSERT(run->address + (run->length - 1) >= run->address);
    }
  }
}

// Every three bytes of `bytes` say how the next frame looks, and how much of them it holds.
std::vector<std::byte> framed(std::span<const std::uint8_t> bytes) {
  const Bytes magic = std::as_bytes(std::span(kMagic));
  std::vector<std::byte> archive(magic.begin(), magic.end());
  while (bytes.size() >= 3) {
    const std::size_t size = std::min<std::size_t>(bytes[1], bytes.size() - 3);
    const Bytes body = std::as_bytes(bytes.subspan(3, size));
    Frame frame;
    frame.kind = static_cast<FrameKind>(bytes[0] % 9);
    frame.flags = bytes[2] & 1;
    frame.plain = static_cast<std::uint32_t>(size + (frame.is_packed() ? bytes[2] * 64 : 0));
    frame.place = bytes[2];
    frame.body = body;
    const FrameHead head = frame_head(frame, archive.size());
    archive.insert(archive.end(), head.begin(), head.end());
    archive.insert(archive.end(), body.begin(), body.end());
    bytes = bytes.subspan(3 + size);
  }
  return archive;
}

void write_and_read(std::span<const std::uint8_t> bytes) {
  MemorySink sink;
  Writer writer(sink);
  KRG_ASSERT(writer.begin({"fuzz", "krg"}).has_value());
  std::vector<std::vector<std::byte>> written;
  while (bytes.size() >= 2) {
    const std::size_t size = std::min<std::size_t>(bytes[1], bytes.size() - 2);
    const Bytes body = std::as_bytes(bytes.subspan(2, size));
    SectionHead head{"memory"};
    head.packing = bytes[0] % 2 == 0 ? Packing::plain : Packing::zstd;
    if (size > 0) {
      KRG_ASSERT(writer.begin_runs(head).has_value());
      KRG_ASSERT(writer.run(4096, body).has_value());
      KRG_ASSERT(writer.end_runs().has_value());
      written.emplace_back(body.begin(), body.end());
    }
    bytes = bytes.subspan(2 + size);
  }
  KRG_ASSERT(writer.end().has_value());
  MemorySource source(sink.bytes());
  Reader reader(source);
  for (const auto& body : written) {
    KRG_ASSERT(reader.next().has_value());
    const auto run = reader.run();
    KRG_ASSERT(run.has_value() && std::ranges::equal((*run)->bytes, body));
  }
  const auto end = reader.next();
  KRG_ASSERT(end.has_value() && !*end);
}

}  // namespace
}  // namespace krg::ghost

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace krg::ghost;
  if (size < 2) return 0;
  const std::span<const std::uint8_t> rest(data + 2, size - 2);
  const unsigned how = data[1];
  if (data[0] % 3 == 0) static_cast<void>(read_all(std::as_bytes(rest), how));
  if (data[0] % 3 == 1) static_cast<void>(read_all(framed(rest), how));
  if (data[0] % 3 == 2) write_and_read(rest);
  return 0;
}
