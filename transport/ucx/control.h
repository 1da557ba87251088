// The messages between two sides of a session over the link.
#pragma once

#include <cstdint>
#include <vector>

#include "krg/link/link.h"
#include "krg/wire/codec.h"

namespace krg::ucx {

inline constexpr unsigned kSmallId = 1;
inline constexpr unsigned kLargeId = 2;

// What each side tells the other first, once both know whether they share memory.
struct Hello {
  std::uint32_t slot = 0;          // To be put in front of every message to me.
  bool memory = false;             // Whether the address is one of shared memory.
  std::vector<std::byte> address;  // Of my worker.

  static void wire_fields(auto& m, auto&& visit) { visit(m.slot, m.memory, m.address); }
};

enum class Control : std::uint8_t {
  ready = 1,    // My endpoint to you exists.
  closing = 2,  // I have sent `number` messages and shall send no more.
  done = 3,     // All of yours have come.
  cancel = 4,   // Drop my large message `number`, if nobody has begun to receive it.
};

struct ControlMessage {
  Control control = Control::ready;
  std::uint64_t number = 0;

  static void wire_fields(auto& m, auto&& visit) { visit(m.control, m.number); }
};

inline Status send_control(link::Link& link, Control control, std::uint64_t number = 0) {
  return link.send(wire::encode(ControlMessage{control, number}));
}

}  // namespace krg::ucx
