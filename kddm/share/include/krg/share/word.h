// share/word.h: the one word of a slot that decides who may use the object.
//
// Model    64 bits, changed by atomic operations alone:
//            access     0-1   what tasks may do
//            contended  2     frozen by krgd: no lease begins
//            readers    3     the lease tables may name readers; who wants to write must look
//            writer     4-19  the task that writes, +1; 0: none
//            generation 32-63 of the slot's use
//          Any value is a valid word: it may come from a task gone wild.
// Threads  a value.
// Blocks   never.
// Source   Dice and Kogan, "BRAVO: Biased Locking for Reader-Writer Locks", USENIX ATC 2019 (the
//          readers bit); docs/design/kddm.md, "Node-shared store"
#pragma once

#include <cstdint>

#include "krg/share/types.h"

namespace krg::kddm {

class Word {
 public:
  static constexpr std::uint64_t kAccessMask = 3;
  static constexpr std::uint64_t kContended = 4;
  static constexpr std::uint64_t kReaders = 8;
  static constexpr unsigned kWriterShift = 4;
  static constexpr std::uint64_t kWriterMask = std::uint64_t{0xffff} << kWriterShift;
  static constexpr unsigned kGenerationShift = 32;

  constexpr Word() = default;
  constexpr explicit Word(std::uint64_t bits) noexcept : bits_(bits) {}
  // Nobody's and not frozen.
  constexpr Word(Access access, std::uint32_t generation) noexcept
      : bits_(static_cast<std::uint64_t>(access) | std::uint64_t{generation} << kGenerationShift) {}

  constexpr std::uint64_t bits() const noexcept { return bits_; }
  constexpr bool operator==(const Word&) const = default;

  constexpr bool readable() const noexcept { return (bits_ & kAccessMask) != 0; }
  constexpr bool writable() const noexcept {
    return (bits_ & kAccessMask) == static_cast<std::uint64_t>(Access::write);
  }
  constexpr bool contended() const noexcept { return (bits_ & kContended) != 0; }
  constexpr bool readers() const noexcept { return (bits_ & kReaders) != 0; }
  constexpr bool has_writer() const noexcept { return (bits_ & kWriterMask) != 0; }
  // kNoTask if there is none; else any number below 65,535.
  constexpr TaskIndex writer() const noexcept {
    const auto plus_one = static_cast<std::uint32_t>((bits_ & kWriterMask) >> kWriterShift);
    return has_writer() ? TaskIndex{plus_one - 1} : kNoTask;
  }
  constexpr std::uint32_t generation() const noexcept {
    return static_cast<std::uint32_t>(bits_ >> kGenerationShift);
  }

  constexpr Word with(std::uint64_t flag) const noexcept { return Word(bits_ | flag); }
  // Requires  task.value < 65535.
  constexpr Word with_writer(TaskIndex task) const noexcept {
    return Word((bits_ & ~kWriterMask) | (std::uint64_t{task.value} + 1) << kWriterShift);
  }

 private:
  std::uint64_t bits_ = 0;
};

}  // namespace krg::kddm
