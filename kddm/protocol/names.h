// The names of messages and states, in the order of their enumerations.
#pragma once

#include <array>
#include <string_view>

#include "krg/kddm_protocol/home.h"
#include "krg/kddm_protocol/message.h"

namespace krg::kddm_protocol {

inline constexpr std::array<std::string_view, kMessageTypes> kMessageNames = {
    "get_request", "grab_request", "remove_request", "flush_request", "done",       "report",
    "settled",     "forward_get",  "forward_grab",   "forward_flush", "invalidate", "remove",
    "grant",       "create",       "nothing",        "lost",          "settle",     "data",
    "hand_over",   "adopt",        "taken",          "witness",       "ack"};
inline constexpr std::array<std::string_view, kRequests> kRequestNames = {"none", "get", "grab",
                                                                          "remove", "flush"};
inline constexpr std::array<std::string_view, kCopyStates> kCopyNames = {"invalid", "shared",
                                                                         "exclusive", "ceded"};
inline constexpr std::array<std::string_view, kHomeStates> kHomeNames = {
    "absent", "live", "lost", "busy", "rebuilding", "settling"};

template <class Enum, std::size_t N>
constexpr std::string_view name_in(const std::array<std::string_view, N>& names, Enum value) {
  const auto index = static_cast<std::size_t>(value);
  return index < N ? names[index] : "unknown";
}

}  // namespace krg::kddm_protocol
