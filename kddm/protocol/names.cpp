// The names of states and messages, for logs, tables and reports.
#include "krg/protocol/message.h"
#include "krg/protocol/part.h"

namespace krg::kddm {
namespace {

template <std::size_t N, class Enum>
std::string_view pick(const std::string_view (&names)[N], Enum value) noexcept {
  const auto index = static_cast<std::size_t>(value);
  return index < N ? names[index] : "unknown";
}

}  // namespace

bool is_sound(const Message& message) noexcept {
  const bool named = message.node.value < cluster::kNodesMax;
  const bool must_name = message.kind == Kind::done || message.kind == Kind::fetch;
  return message.kind < kFirstOp && message.copy <= Copy::write &&
         message.status <= Answer::failed && message.flags < kManual * 2 &&
         message.count < cluster::kNodesMax && (named || (message.node == kNoNode && !must_name));
}

std::string_view name_of(Kind kind) noexcept {
  static constexpr std::string_view kNames[] = {
      "get",   "grab",    "flush",  "sync",     "remove",    "done",   "report",    "note", "fetch",
      "inval", "inquire", "grant",  "answer",   "data",      "ack",    "took",      "get",  "grab",
      "flush", "sync",    "remove", "put read", "put write", "filled", "not filled"};
  static_assert(std::size(kNames) == kKinds);
  return pick(kNames, kind);
}

std::string_view name_of(Copy copy) noexcept {
  static constexpr std::string_view kNames[] = {"none", "filling", "spare", "read", "write"};
  return pick(kNames, copy);
}

std::string_view name_of(Answer answer) noexcept {
  static constexpr std::string_view kNames[] = {"ok", "absent", "busy", "lost", "full", "failed"};
  return pick(kNames, answer);
}

std::string_view name_of(Asks asks) noexcept {
  static constexpr std::string_view kNames[] = {"nothing", "get",  "grab",
                                                "flush",   "sync", "remove"};
  return pick(kNames, asks);
}

std::string_view name_of(HomeState state) noexcept {
  static constexpr std::string_view kNames[] = {"away", "absent",     "idle", "reading",
                                                "busy", "rebuilding", "lost"};
  return pick(kNames, state);
}

std::string_view name_of(Phase phase) noexcept {
  static constexpr std::string_view kNames[] = {"none", "create", "grab",    "share",  "flush",
                                                "sync", "remove", "confirm", "settle", "asked"};
  return pick(kNames, phase);
}

std::string_view name_of(Action::Do what) noexcept {
  static constexpr std::string_view kNames[] = {"send", "install", "drop",
                                                "fill", "lease",   "finish"};
  return pick(kNames, what);
}

Errc to_errc(Answer answer) noexcept {
  switch (answer) {
    case Answer::ok:
      return Errc::ok;
    case Answer::absent:
      return Errc::not_found;
    case Answer::busy:
      return Errc::would_block;
    case Answer::lost:
      return Errc::lost;
    case Answer::full:
      return Errc::limit_reached;
    case Answer::failed:
      return Errc::system_error;
  }
  return Errc::protocol_error;
}

}  // namespace krg::kddm
