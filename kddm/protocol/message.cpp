#include "krg/kddm_protocol/message.h"

#include "names.h"

namespace krg::kddm_protocol {

std::string_view name_of(MessageType type) noexcept { return name_in(kMessageNames, type); }
std::string_view name_of(Request request) noexcept { return name_in(kRequestNames, request); }
std::string_view name_of(CopyState state) noexcept { return name_in(kCopyNames, state); }
std::string_view name_of(HomeState state) noexcept { return name_in(kHomeNames, state); }

Step impossible(const char* what, NodeId from) noexcept {
  Step step;
  step.verdict = Verdict::refused;
  step.error = Error(Errc::protocol_error, what).with_peer(from);
  return step;
}

Verdict check_epoch(const Message& message, const Place& place) noexcept {
  if (message.epoch < place.epoch) return Verdict::stale;
  if (place.epoch < message.epoch) return Verdict::early;
  return Verdict::taken;
}

}  // namespace krg::kddm_protocol
