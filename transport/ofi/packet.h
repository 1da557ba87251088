// Packets: copies of messages that wait for room or for their completion, from a pool.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "krg/base/intrusive_list.h"
#include "krg/fabric/endpoint.h"
#include "rail.h"

namespace krg::ofi {

class Peer;

struct Packet : Operation, ListNode<struct PacketTag> {
  Peer* owner = nullptr;  // None: the peer is gone while libfabric still has the packet.
  std::uint32_t size = 0;
  bool user = false;  // Counts against what a peer may queue.
  alignas(16) std::array<std::byte, fabric::kMessageMax> bytes;

  std::span<const std::byte> view() const noexcept { return std::span(bytes).first(size); }
};

class PacketPool {
 public:
  // Cost  no allocation once the pool has grown to its use.
  Packet& take();
  void give(Packet& packet) noexcept { free_.push_back(packet); }

 private:
  std::vector<std::unique_ptr<Packet>> all_;
  IntrusiveList<Packet, PacketTag> free_;
};

}  // namespace krg::ofi
