// locks/sync_object.h: what the sync objects that are waited for have in common.
//
// Model    a state in the bytes of an object of Locks, changed under short write leases, and a
//          queue at the object's home for those who wait until it has changed.
// Threads  safe.
// Blocks   as each says.
// Source   docs/design/sync.md, "Waiting"
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include "krg/base/deadline.h"
#include "krg/error/result.h"
#include "krg/locks/locks.h"
#include "krg/sync_calls/calls.h"

namespace krg {

class SyncObject {
 public:
  static constexpr Duration kTimeout = std::chrono::seconds(60);
  static constexpr std::size_t kBytes = 64;

 protected:
  // When a wait ends, on the task's clock.
  class Until {
   public:
    explicit Until(Duration timeout) noexcept
        : end_(std::chrono::steady_clock::now() +
               (timeout < kLongest ? timeout : Duration(kLongest))) {}
    Duration left() const noexcept {
      const Duration left = end_ - std::chrono::steady_clock::now();
      return left > Duration(0) ? left : Duration(0);
    }

   private:
    static constexpr Duration kLongest = std::chrono::hours(24 * 365);
    std::chrono::steady_clock::time_point end_;
  };
  // The state is held for a few instructions at a time, so who has waited in vain can still look.
  static constexpr Duration kSettle = std::chrono::seconds(10);

  // Requires  index < locks.count(), of no sync object of another type; `locks` outlives it.
  SyncObject(Locks& locks, std::uint64_t index) noexcept;

  Result<kddm::ReadLease> get(Duration timeout) const;
  Result<kddm::WriteLease> grab(Duration timeout) const;
  // Before the state is looked at, or while it is held.
  Result<sync::Ticket> prepare(Duration timeout) const;
  // Errors  timed_out  a wake-up, if there was one, has gone to another; those of the gate
  Status wait(sync::Ticket ticket, Duration timeout, std::uint32_t word = 0,
              std::uint32_t bits = sync::kAnyBit) const;
  Result<sync::calls::Meet::Reply> meet(std::uint32_t parties, sync::Reduce reduce,
                                        std::vector<std::uint64_t> words, Duration timeout) const;
  Result<std::uint32_t> wake(std::uint32_t count, std::uint32_t word = 0,
                             std::uint32_t bits = sync::kAnyBit) const;

  template <class Word>
  static Word read(const auto& lease) noexcept {
    Word word;
    std::memcpy(&word, lease.bytes().data(), sizeof word);
    return word;
  }
  template <class Word>
  static void write(kddm::WriteLease& lease, const Word& word) noexcept {
    std::memcpy(lease.bytes().data(), &word, sizeof word);
  }

 private:
  sync::Key key(std::uint32_t word) const noexcept;

  Locks* locks_;
  std::uint64_t index_;
};

}  // namespace krg
