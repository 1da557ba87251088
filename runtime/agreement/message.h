// What one libraft says to another, as bytes.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "krg/agreement/log.h"
#include "raft_c.h"

namespace krg::agreement {

// What goes before each message: the sender's clock, and for answers to a leader the clock that the
// leader's last message carried.
struct Stamps {
  std::uint64_t sent = 0;
  std::uint64_t echo = 0;
  std::uint64_t current_term = 0;  // The sender's; a message about a vote may speak of another.
};

std::vector<std::byte> encode(const raft_message& message, const Stamps& stamps);

struct Received {
  raft_message message{};
  Stamps stamps;
};
// Memory that `message` points to is raft's own and becomes libraft's when it is handed over.
// nullopt: malformed, or no memory.
std::optional<Received> decode(wire::Bytes bytes);
// Frees what decode() has allocated, of a message that is not handed over.
void give_back(Received& received) noexcept;

}  // namespace krg::agreement
