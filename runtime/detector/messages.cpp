#include "krg/detector/messages.h"

#include <algorithm>

#include "krg/base/assert.h"
#include "krg/cluster/node_set.h"

namespace krg::detector {
namespace {

Error malformed() { return Error(Errc::protocol_error, "malformed detector datagram"); }

bool plausible(const Charge& charge) noexcept {
  return charge.subject.value < cluster::kNodesMax &&
         (charge.reason == Reason::silent || charge.reason == Reason::fabric);
}
bool plausible(const Probe&) noexcept { return true; }
bool plausible(const Ack&) noexcept { return true; }
bool plausible(const Hint& hint) noexcept { return plausible(hint.charge); }
bool plausible(const Report& report) noexcept {
  return report.charges.size() <= kChargesMax &&
         std::all_of(report.charges.begin(), report.charges.end(),
                     [](const Charge& charge) { return plausible(charge); });
}

template <class T>
bool decode_as(Bytes body, Message& message) {
  wire::Decoder in{body};
  T& read = message.emplace<T>();
  wire::get(in, read);
  return in.finished() && plausible(read);
}

// Not inlined, so that gcc 12 with sanitizers does not take the move of the variant that it knows
// as a probe for a use of a report's members.
[[gnu::noinline]] bool decode_kind(unsigned kind, Bytes body, Message& message) {
  switch (kind) {
    case 1:
      return decode_as<Probe>(body, message);
    case 2:
      return decode_as<Ack>(body, message);
    case 3:
      return decode_as<Report>(body, message);
    case 4:
      return decode_as<Hint>(body, message);
    default:
      return false;
  }
}

}  // namespace

std::vector<std::byte> encode(const Message& message) {
  std::vector<std::byte> bytes(kDatagramMax);
  wire::Encoder out{bytes};
  out.put(static_cast<std::uint8_t>(message.index() + 1));
  std::visit([&](const auto& m) { wire::put(out, m); }, message);
  KRG_ASSERT(out.ok());
  bytes.resize(out.size());
  return bytes;
}

Result<Message> decode(Bytes bytes) {
  if (bytes.empty() || bytes.size() > kDatagramMax) return malformed();
  Message message;
  const auto kind = std::to_integer<unsigned>(bytes.front());
  if (!decode_kind(kind, bytes.subspan(1), message)) return malformed();
  return message;
}

}  // namespace krg::detector
