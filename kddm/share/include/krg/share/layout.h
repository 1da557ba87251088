// share/layout.h: what lies in the two segments of a node's store.
//
// Model    directory, written by krgd alone: header, hash index, records (which object a slot
//          holds, and where). Shared, written by all: the tasks' counts and lease tables, slots,
//          data. Nothing in the shared segment is a pointer, and krgd uses no number from it
//          without a check.
// Threads  every field is atomic.
// Blocks   never.
// Source   Michael, "Hazard Pointers", IEEE TPDS 2004 (the lease tables); Litwin, "Linear Hashing",
//          VLDB 1980 (the index); docs/design/kddm.md, "Node-shared store"
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "krg/share/geometry.h"
#include "krg/share/word.h"

namespace krg::kddm {

// --- directory
// -------------------------------------------------------------------------------------

struct DirectoryHeader {
  static constexpr std::uint64_t kMagic = 0x31657261'6873676bu;

  std::uint64_t magic = kMagic;
  std::uint32_t ticks_are_tsc = 0;  // Else nanoseconds of CLOCK_MONOTONIC.
  // Tasks of a higher index have never been there.
  std::atomic<std::uint32_t> tasks{0};
  // Buckets in use in the high half, their rounded-up power of two less one in the low half.
  std::atomic<std::uint64_t> buckets{0};
  // No lease begins at this tick or later.
  alignas(kCacheLine) std::atomic<std::uint64_t> serve_until{0};
};
static_assert(sizeof(DirectoryHeader) == 2 * kCacheLine);

// The first slot of a chain, +1; 0: none.
using Bucket = std::atomic<std::uint32_t>;

// Which object a slot holds.
struct Record {
  std::atomic<std::uint64_t> set{0};
  std::atomic<std::uint64_t> object{0};
  std::atomic<std::uint64_t> offset{0};  // Of the bytes, in the shared segment.
  std::atomic<std::uint32_t> size{0};
  std::atomic<std::uint32_t> next{0};  // The chain's next slot, +1.
};
static_assert(sizeof(Record) == 32);

// --- shared
// ----------------------------------------------------------------------------------------

// A slot has a line of its own: who writes one object does not disturb the readers of the next.
struct alignas(kCacheLine) Slot {
  static constexpr std::size_t kSmallBytes = 32;

  std::atomic<std::uint64_t> word{0};
  std::atomic<std::uint64_t> version{0};     // One more with every write lease that ends.
  std::atomic<std::uint32_t> referenced{0};  // A task has leased it since krgd looked last.
  // Tasks of this node may sleep until a writer ends its lease, on `ends`:
  // LocalStore::await_write().
  std::atomic<std::uint32_t> sleepers{0};
  std::atomic<std::uint32_t> ends{0};
  std::atomic<std::uint32_t> slept{0};  // Somebody has, in this use of the slot, or is about to.
  std::byte small[kSmallBytes] = {};    // The bytes of an object that fits.
};
static_assert(sizeof(Slot) == kCacheLine);

// What a task holds: (slot + 1) * 2, +1 if it is for writing; 0: nothing.
using LeaseEntry = std::atomic<std::uint32_t>;
constexpr std::uint32_t lease_entry(SlotId slot, LeaseKind kind) noexcept {
  return (slot.value + 1) << 1 | (kind == LeaseKind::write ? 1u : 0u);
}
constexpr SlotId slot_of(std::uint32_t entry) noexcept { return SlotId{(entry >> 1) - 1}; }
constexpr bool is_write(std::uint32_t entry) noexcept { return (entry & 1) != 0; }

// Threads of a task prefer lines of their own. The first entry of a line is for the thread that has
// the line to itself, which writes it without a locked instruction, and only for a write lease. The
// last lines are for leases that krgd grants.
struct LeaseTable {
  static constexpr std::uint32_t kLineEntries = kCacheLine / sizeof(LeaseEntry);
  static constexpr std::uint32_t kGrantLines = 16;
  static constexpr std::uint32_t kOwnLines = 240;
  static constexpr std::uint32_t kFirstGrant = kOwnLines * kLineEntries;
  // That any thread may claim.
  static constexpr std::uint32_t kClaimed = kOwnLines * (kLineEntries - 1);
  static constexpr std::uint32_t kEntries = (kOwnLines + kGrantLines) * kLineEntries;

  alignas(kStorePage) LeaseEntry entries[kEntries];
};
static_assert(sizeof(LeaseTable) == 4 * kStorePage);

// How much of a task's table has ever been used: what is to be looked at.
struct LeaseCounts {
  std::atomic<std::uint16_t> own_lines{0};
  std::atomic<std::uint16_t> grant_lines{0};
};

static_assert(std::atomic<std::uint64_t>::is_always_lock_free && sizeof(LeaseEntry) == 4 &&
              std::atomic<std::uint16_t>::is_always_lock_free && sizeof(LeaseCounts) == 4);

}  // namespace krg::kddm
