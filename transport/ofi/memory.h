// Regions of this process, regions of peers, and operations on them.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "krg/fabric/memory.h"
#include "large.h"
#include "wire.h"

namespace krg::ofi {

class FabricImpl;
class Peer;

class RegionImpl final : public fabric::Region {
 public:
  // Registers with every rail; a rail that refuses is reached by messages.
  RegionImpl(FabricImpl& fabric, std::span<std::byte> memory);
  ~RegionImpl() override;
  std::span<std::byte> memory() const noexcept override { return memory_; }
  std::span<const std::byte> key() const noexcept override {
    return std::as_bytes(std::span(&key_, 1));
  }
  std::uint64_t id() const noexcept { return key_.id; }

 private:
  FabricImpl& fabric_;
  const std::span<std::byte> memory_;
  RegionKey key_{};
  std::vector<Registration> registrations_;
};

class RemoteRegionImpl final : public fabric::RemoteRegion {
 public:
  RemoteRegionImpl(Peer& peer, const RegionKey& key) noexcept : peer_(peer), key_(key) {}
  void put(std::uint64_t offset, std::span<const std::byte> from,
           fabric::Completion& done) override;
  void get(std::uint64_t offset, std::span<std::byte> into, fabric::Completion& done) override;
  void fetch_add(std::uint64_t offset, std::uint64_t operand, std::uint64_t& old,
                 fabric::Completion& done) override;
  void compare_swap(std::uint64_t offset, std::uint64_t expected, std::uint64_t desired,
                    std::uint64_t& old, fabric::Completion& done) override;

 private:
  // Whether the operation may start; if not, it has been told why.
  bool admit(std::uint64_t offset, std::uint64_t size, fabric::Completion& done);
  bool direct() const noexcept;
  void atomic(Kind kind, const MemoryHead& head, std::uint64_t& old, fabric::Completion& done);

  Peer& peer_;
  const RegionKey key_;
};

// An operation on a peer's region, at the side that asked.
class MemoryOp final : public DirectOp {
 public:
  void finished(int error) noexcept override;

  std::uint64_t id = 0;
  fabric::Completion* completion = nullptr;
  std::uint64_t* old = nullptr;  // Of an atomic operation.
  std::uint64_t got = 0;         // Of a get by messages.
};

}  // namespace krg::ofi
