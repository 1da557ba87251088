#include "envelope.h"

namespace krg::kddm {
namespace {

// A message of the protocol without what the channel says: the sender and the epoch.
void put(wire::Encoder& out, const Message& m) noexcept {
  out.put(static_cast<std::uint8_t>(m.kind));
  out.put(static_cast<std::uint8_t>(m.copy));
  out.put(static_cast<std::uint8_t>(m.status));
  out.put(m.flags);
  out.put(m.node.value);
  out.put(m.count);
  out.put(m.version);
}

void get(wire::Decoder& in, Message& m) noexcept {
  m.kind = static_cast<Kind>(in.get<std::uint8_t>());
  m.copy = static_cast<Copy>(in.get<std::uint8_t>());
  m.status = static_cast<Answer>(in.get<std::uint8_t>());
  m.flags = in.get<std::uint16_t>();
  m.node.value = in.get<std::uint32_t>();
  m.count = in.get<std::uint32_t>();
  m.version = in.get<std::uint64_t>();
}

void put_word(wire::Encoder& out, Word word) noexcept { out.put(static_cast<std::uint8_t>(word)); }

}  // namespace

std::array<std::byte, kEnvelopeBytes> encode(const Envelope& envelope) noexcept {
  std::array<std::byte, kEnvelopeBytes> bytes;
  wire::Encoder out{bytes};
  put_word(out, Word::object);
  out.put(envelope.set.value);
  out.put(envelope.object.value);
  put(out, envelope.message);
  KRG_DASSERT(out.ok() && out.size() == kEnvelopeBytes);
  return bytes;
}

std::vector<std::byte> encode(SetId set, const SetOptions& options) {
  std::vector<std::byte> bytes(1 + sizeof set.value + wire::encoded_size(options));
  wire::Encoder out{bytes};
  put_word(out, Word::introduce);
  out.put(set.value);
  wire::put(out, options);
  return bytes;
}

std::array<std::byte, 1> encode(Word word) noexcept { return {static_cast<std::byte>(word)}; }

std::optional<Word> word_of(wire::Bytes head) noexcept {
  if (head.empty()) return std::nullopt;
  const auto word = static_cast<std::uint8_t>(head[0]);
  if (word < 1 || word > 5) return std::nullopt;
  return static_cast<Word>(word);
}

std::optional<Envelope> decode_envelope(wire::Bytes head) noexcept {
  wire::Decoder in{head};
  Envelope envelope;
  in.get<std::uint8_t>();
  envelope.set.value = in.get<std::uint64_t>();
  envelope.object.value = in.get<std::uint64_t>();
  get(in, envelope.message);
  if (!in.finished() || !is_sound(envelope.message)) return std::nullopt;
  return envelope;
}

std::optional<Introduction> decode_introduction(wire::Bytes head) {
  wire::Decoder in{head};
  Introduction introduction;
  in.get<std::uint8_t>();
  introduction.set.value = in.get<std::uint64_t>();
  wire::get(in, introduction.options);
  if (!in.finished() || !check(introduction.options)) return std::nullopt;
  return introduction;
}

}  // namespace krg::kddm
