// Any bytes as what one Kddm says to another: what is decoded is sound, and is the same when it is
// encoded again.
#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <span>

#include "envelope.h"
#include "krg/base/assert.h"

namespace {

using namespace krg;
using namespace krg::kddm;

bool same(wire::Bytes a, wire::Bytes b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size()) == 0;
}

void read_round(wire::Bytes bytes) {
  static Round round;
  if (!decode_round(bytes, round)) return;
  KRG_ASSERT(round.count > 0 && round.count <= Round::kMax);
  KRG_ASSERT(is_sound(round.message));
  static std::array<std::byte, kRoundBytesMax> room;
  KRG_ASSERT(same(encode(round, room), bytes));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const wire::Bytes bytes(reinterpret_cast<const std::byte*>(data), size);
  const auto word = word_of(bytes);
  if (!word) return 0;
  switch (*word) {
    case Word::object:
      if (const auto envelope = decode_envelope(bytes)) KRG_ASSERT(same(encode(*envelope), bytes));
      break;
    case Word::objects:
      read_round(bytes);
      break;
    case Word::introduce:
      if (const auto set = decode_introduction(bytes)) KRG_ASSERT(check(set->options));
      break;
    case Word::reported:
      break;
  }
  return 0;
}
