// fabric/memory.h: memory that peers read, write and change without our code running.
//
// Model    a Region is a range of this process's memory registered for remote access; its key, sent
//          to a peer by any message, lets that peer attach it as a RemoteRegion. Offsets are from
//          the region's start. Atomic operations on a region are atomic among all that come through
//          the fabric, not against the owner's own instructions unless the provider is coherent.
// Threads  owned by the fabric's thread.
// Blocks   never; completion comes by Completion.
// Source   docs/design/wire.md; UCX ucp_mem_map(3), libfabric fi_mr(3), fi_rma(3), fi_atomic(3)
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "krg/error/result.h"

namespace krg::fabric {

// Told exactly once how an operation ended. Owned by the caller, and must live until then.
class Completion {
 public:
  virtual ~Completion();
  virtual void on_complete(Status status) noexcept = 0;
};

class Region {
 public:
  // Unregisters. Remote accesses still under way end with an error at the peer.
  virtual ~Region();
  virtual std::span<std::byte> memory() const noexcept = 0;
  // What a peer needs to attach this region; at most 256 bytes.
  virtual std::span<const std::byte> key() const noexcept = 0;
};

// A peer's region. Once its Endpoint is down it may only be destroyed, and before the Fabric is.
class RemoteRegion {
 public:
  virtual ~RemoteRegion();
  // Each starts an operation; local buffers belong to the fabric until `done` is told.
  // Requires  offset + size within the peer's region; for atomics 8 bytes, 8-byte aligned.
  // Errors    (by `done`) invalid_argument  out of the region; nothing happened.
  //           peer_down    the operation may or may not have happened.
  virtual void put(std::uint64_t offset, std::span<const std::byte> from, Completion& done) = 0;
  virtual void get(std::uint64_t offset, std::span<std::byte> into, Completion& done) = 0;
  virtual void fetch_add(std::uint64_t offset, std::uint64_t operand, std::uint64_t& old,
                         Completion& done) = 0;
  virtual void compare_swap(std::uint64_t offset, std::uint64_t expected, std::uint64_t desired,
                            std::uint64_t& old, Completion& done) = 0;
};

}  // namespace krg::fabric
