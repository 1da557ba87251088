// Registered memory in a simulation.
#pragma once

#include <array>
#include <memory>

#include "krg/fabric/memory.h"
#include "packet.h"

namespace krg::sim {

class Network;
class Side;

// The bytes of a key.
struct RegionKey {
  static constexpr std::uint64_t kMagic = 0x6e6f69676572676bu;
  std::uint64_t magic = kMagic;
  std::uint64_t region = 0;
  std::uint64_t size = 0;
  std::uint32_t node = 0;
  std::uint32_t incarnation = 0;
};
static_assert(sizeof(RegionKey) == 32);

class SimRegion final : public fabric::Region {
 public:
  SimRegion(Network& network, std::span<std::byte> memory, std::uint32_t node,
            std::uint32_t incarnation);
  ~SimRegion() override;
  std::span<std::byte> memory() const noexcept override { return memory_; }
  std::span<const std::byte> key() const noexcept override {
    return std::as_bytes(std::span(&key_, 1));
  }
  std::uint64_t id() const noexcept { return key_.region; }

 private:
  Network& network_;
  std::span<std::byte> memory_;
  RegionKey key_;
};

class SimRemoteRegion final : public fabric::RemoteRegion {
 public:
  SimRemoteRegion(Side& side, const RegionKey& key) noexcept : side_(side), key_(key) {}
  void put(std::uint64_t offset, std::span<const std::byte> from,
           fabric::Completion& done) override;
  void get(std::uint64_t offset, std::span<std::byte> into, fabric::Completion& done) override;
  void fetch_add(std::uint64_t offset, std::uint64_t operand, std::uint64_t& old,
                 fabric::Completion& done) override;
  void compare_swap(std::uint64_t offset, std::uint64_t expected, std::uint64_t desired,
                    std::uint64_t& old, fabric::Completion& done) override;

 private:
  // A packet for the operation, or nullptr if it is out of range, which is then told.
  Packet* begin(MemoryOp op, std::uint64_t offset, std::size_t size, fabric::Completion& done);

  Side& side_;
  const RegionKey key_;
};

// Does what a memory packet asks for. Errors: invalid_argument  the region is gone.
Status act_on_memory(SimRegion* region, const Packet& packet);

}  // namespace krg::sim
