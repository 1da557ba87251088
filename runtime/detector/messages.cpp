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
Result<Message> decode_as(Bytes body) {
  auto message = wire::decode<T>(body);
  if (!message || !plausible(*message)) return malformed();
  return Message(std::move(*message));
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
  const Bytes body = bytes.subspan(1);
  switch (std::to_integer<unsigned>(bytes.front())) {
    case 1:
      return decode_as<Probe>(body);
    case 2:
      return decode_as<Ack>(body);
    case 3:
      return decode_as<Report>(body);
    case 4:
      return decode_as<Hint>(body);
    default:
      return malformed();
  }
}

}  // namespace krg::detector
