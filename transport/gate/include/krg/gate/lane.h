// gate/lane.h: the shared memory between a task and its krgd.
//
// Model    a lane has 64 places ("slots") for calls. The task takes a free slot, writes the request
//          into it and sets the slot's bit in `submitted`; krgd takes all bits at once. krgd writes
//          the reply into the slot and turns its state to `done`; the caller waits for its own slot
//          alone. A set of 64 bits holds no index that could be wrong and never overflows: that is
//          why it is no ring of indices. Everything in here is outside bytes for krgd: it copies,
//          then checks, then uses the copy, and keeps to itself which slots it serves.
// Threads  any thread of the task; krgd's reactor.
// Blocks   never.
// Source   docs/design/gate.md, "Lanes"
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "krg/base/ids.h"
#include "krg/shm/futex.h"

namespace krg::gate {

inline constexpr unsigned kSlots = 64;
inline constexpr std::uint32_t kArgumentMax = 1u
                                              << 20;  // Bytes of a request or reply through a lane.
inline constexpr std::uint32_t kInlineMax = 104;      // These lie beside the header.
inline constexpr std::size_t kLine = 64;

enum class SlotState : std::uint32_t {
  idle,       // Free, or being filled by the task.
  pending,    // With krgd; the caller does not sleep.
  sleeping,   // With krgd; the caller wants a futex wake.
  abandoned,  // With krgd; nobody waits: krgd frees the slot.
  done,       // The reply is there.
};

// Written by the task.
struct alignas(2 * kLine) RequestBlock {
  std::uint16_t service = 0;
  std::uint16_t zero = 0;
  std::uint32_t size = 0;  // Above kInlineMax the bytes lie in the slot's area.
  std::uint64_t timeout_ns = 0;
  std::array<std::byte, kInlineMax> bytes;
};
static_assert(sizeof(RequestBlock) == 128 && offsetof(RequestBlock, bytes) == 16);

// Written by krgd, but for the state, which both change by compare and swap.
struct alignas(2 * kLine) ReplyBlock {
  shm::FutexWord state{0};  // SlotState
  std::uint32_t size = 0;
  std::int32_t native = 0;
  std::uint16_t code = 0;  // Of an Error; 0: a reply of `size` bytes.
  std::uint16_t peer = 0xffff;
  std::array<std::byte, kInlineMax> bytes;
};
static_assert(sizeof(ReplyBlock) == 128 && offsetof(ReplyBlock, bytes) == 16);

struct Slot {
  RequestBlock request;
  ReplyBlock reply;
};

// The start of a lane's segment; the areas follow, kArgumentMax for each slot, in memory only where
// used.
struct Lane {
  alignas(2 * kLine) std::atomic<std::uint64_t> submitted{0};  // Set by the task, taken by krgd.
  std::atomic<std::uint64_t> given_up{0};  // The same, after a state went abandoned.
  alignas(2 * kLine) std::atomic<std::uint64_t> free{~std::uint64_t{0}};
  alignas(2 * kLine) shm::FutexWord freed{0};  // Grows when a slot was freed while somebody waited.
  std::atomic<std::uint32_t> waiting{0};       // Threads that wait for a free slot.
  std::array<Slot, kSlots> slots;
};
static_assert(std::atomic<std::uint64_t>::is_always_lock_free);

inline constexpr std::size_t kAreasAt = (sizeof(Lane) + 4095) / 4096 * 4096;
inline constexpr std::size_t kLaneSize = kAreasAt + std::size_t{kSlots} * kArgumentMax;

// One page for all tasks of a krgd, which only krgd can write.
struct StatusPage {
  alignas(2 *
          kLine) std::atomic<std::uint32_t> asleep{0};  // 1: write to the eventfd after submitting.
};
inline constexpr std::size_t kStatusSize = 4096;

// The service by which a session gets a lane, over its socket. The reply has no body and three
// descriptors: the lane, the status page, the eventfd that wakes krgd.
inline constexpr ServiceId kAttach{0xffff};

// Frees `slot` for the next call.
void free_slot(Lane& lane, unsigned slot) noexcept;

}  // namespace krg::gate
