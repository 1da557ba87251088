// envelope.h: what one Kddm says to another, as bytes.
//
// Model    five kinds of words: a message of the protocol about one object of one set; a set's
//          options, before the first message about it in a view; that the sender has reported what
//          has a new home; that the receiver is to report all that is at home at the sender; and
//          that the sender has. The epoch and the sender are the channel's.
// Threads  values.
// Blocks   never.
// Source   docs/design/kddm.md, "Service"
#pragma once

#include <array>
#include <optional>
#include <vector>

#include "krg/protocol/message.h"
#include "krg/store/set_options.h"
#include "krg/wire/codec.h"

namespace krg::kddm {

enum class Word : std::uint8_t {
  object = 1,
  introduce = 2,
  reported = 3,
  tell_all = 4,
  told_all = 5
};

struct Envelope {
  SetId set;
  ObjectId object;
  Message message;
};

inline constexpr std::size_t kEnvelopeBytes = 38;
std::array<std::byte, kEnvelopeBytes> encode(const Envelope& envelope) noexcept;
std::vector<std::byte> encode(SetId set, const SetOptions& options);
std::array<std::byte, 1> encode(Word word) noexcept;

// What kind it is; nothing if it is none.
std::optional<Word> word_of(wire::Bytes head) noexcept;
// Nothing if it is malformed, or no message that another node may send.
std::optional<Envelope> decode_envelope(wire::Bytes head) noexcept;

struct Introduction {
  SetId set;
  SetOptions options;
};
std::optional<Introduction> decode_introduction(wire::Bytes head);

}  // namespace krg::kddm
