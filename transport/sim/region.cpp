#include "region.h"

#include <cstring>

#include "network.h"
#include "side.h"

namespace krg::sim {

SimRegion::SimRegion(Network& network, std::span<std::byte> memory, std::uint32_t node,
                     std::uint32_t incarnation)
    : network_(network), memory_(memory) {
  key_.region = network.add(*this);
  key_.size = memory.size();
  key_.node = node;
  key_.incarnation = incarnation;
}

SimRegion::~SimRegion() { network_.remove(*this); }

Packet* SimRemoteRegion::begin(MemoryOp memory_op, std::uint64_t offset, std::size_t size,
                               fabric::Completion& done) {
  const OpRef op = side_.begin(done);
  const bool is_atomic = memory_op == MemoryOp::fetch_add || memory_op == MemoryOp::compare_swap;
  if (offset > key_.size || size > key_.size - offset || (is_atomic && offset % 8 != 0)) {
    side_.tell_soon(op, Errc::invalid_argument);
    return nullptr;
  }
  if (side_.state != Side::State::up) {
    side_.tell_soon(op, Errc::peer_down);
    return nullptr;
  }
  Packet& packet = side_.packet(Kind::memory);
  packet.op = op;
  packet.memory_op = memory_op;
  packet.region = key_.region;
  packet.offset = offset;
  packet.size = size;
  return &packet;
}

void SimRemoteRegion::put(std::uint64_t offset, std::span<const std::byte> from,
                          fabric::Completion& done) {
  Packet* packet = begin(MemoryOp::put, offset, from.size(), done);
  if (packet == nullptr) return;
  packet->source = from;
  side_.network().send(*packet);
}

void SimRemoteRegion::get(std::uint64_t offset, std::span<std::byte> into,
                          fabric::Completion& done) {
  Packet* packet = begin(MemoryOp::get, offset, into.size(), done);
  if (packet == nullptr) return;
  packet->op.op->into = into;
  side_.network().send(*packet);
}

void SimRemoteRegion::fetch_add(std::uint64_t offset, std::uint64_t operand, std::uint64_t& old,
                                fabric::Completion& done) {
  Packet* packet = begin(MemoryOp::fetch_add, offset, 8, done);
  if (packet == nullptr) return;
  packet->operand = operand;
  packet->old = &old;
  side_.network().send(*packet);
}

void SimRemoteRegion::compare_swap(std::uint64_t offset, std::uint64_t expected,
                                   std::uint64_t desired, std::uint64_t& old,
                                   fabric::Completion& done) {
  Packet* packet = begin(MemoryOp::compare_swap, offset, 8, done);
  if (packet == nullptr) return;
  packet->operand = expected;
  packet->desired = desired;
  packet->old = &old;
  side_.network().send(*packet);
}

Status act_on_memory(SimRegion* region, const Packet& packet) {
  if (region == nullptr) return Error(Errc::invalid_argument, "the region is gone");
  std::byte* at = region->memory().data() + packet.offset;
  switch (packet.memory_op) {
    case MemoryOp::put:
      if (packet.size > 0) std::memcpy(at, packet.source.data(), packet.size);
      return {};
    case MemoryOp::get:
      if (packet.size > 0) std::memcpy(packet.op.op->into.data(), at, packet.size);
      return {};
    case MemoryOp::fetch_add:
    case MemoryOp::compare_swap:
      break;
  }
  std::uint64_t word;
  std::memcpy(&word, at, sizeof word);
  *packet.old = word;
  if (packet.memory_op == MemoryOp::fetch_add) {
    word += packet.operand;
  } else if (word == packet.operand) {
    word = packet.desired;
  }
  std::memcpy(at, &word, sizeof word);
  return {};
}

}  // namespace krg::sim
