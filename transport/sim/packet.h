// What travels in the simulated network, and what waits for an answer.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "krg/base/intrusive_list.h"
#include "krg/fabric/endpoint.h"
#include "krg/fabric/memory.h"

namespace krg::sim {

// An operation whose Completion has not been told. Lives in a pool; an OpRef to one that has ended
// finds another generation.
struct Op : ListNode<struct OpTag> {
  fabric::Completion* done = nullptr;
  std::uint64_t generation = 0;
  bool is_large = false;  // A large message under way from here: counted by its side.
  bool cancelled = false;
  std::array<std::span<const std::byte>, 16> parts;  // What a large message consists of.
  std::size_t part_count = 0;
  std::span<std::byte> into;  // Where a receive or get puts it.
};
using OpList = IntrusiveList<Op, OpTag>;

struct OpRef {
  Op* op = nullptr;
  std::uint64_t generation = 0;
  Op* get() const noexcept { return op != nullptr && op->generation == generation ? op : nullptr; }
};

enum class Kind : std::uint8_t {
  // In order on a connection, by its queue.
  accept,
  message,
  large,
  fin,
  reset,
  // By themselves.
  token,     // The head of a connection's queue arrives.
  syn,       // A side asks to be connected.
  refuse,    // To such a side.
  credit,    // Room at the receiver.
  fetched,   // The data of a large message are at the receiver.
  datagram,  // Beside all connections.
  bounced,   // A datagram, back: nobody listens there.
  memory,    // An operation arrives at the peer's memory.
  told,      // An operation has ended.
  expire,    // The deadline of a connect.
  broken,    // The link has been cut for too long.
};

enum class MemoryOp : std::uint8_t { put, get, fetch_add, compare_swap };

// Pooled; `content` keeps its capacity.
struct Packet : ListNode<struct PacketTag> {
  Kind kind = Kind::token;
  std::uint32_t from = 0, to = 0;  // Nodes.
  std::uint64_t from_side = 0, to_side = 0;
  std::vector<std::byte> content;     // A small message, or the header of a large one.
  std::vector<std::byte> data;        // An eager large message's.
  std::span<const std::byte> unread;  // A small message that is still in its sender's buffer.
  std::size_t size = 0;               // Of a large message; of a credit.
  bool is_eager = false;
  OpRef op, receiver_op;
  Status status;
  // A memory operation.
  MemoryOp memory_op = MemoryOp::put;
  std::uint64_t region = 0, offset = 0, operand = 0, desired = 0;
  std::span<const std::byte> source;
  std::uint64_t* old = nullptr;
};
using PacketList = IntrusiveList<Packet, PacketTag>;

}  // namespace krg::sim
