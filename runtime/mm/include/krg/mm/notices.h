// mm/notices.h: which pages of a region were written, release by release.
//
// Model    a ring of entries in 64 KiB of plain bytes: the number of a release, the node it was on,
//          and its pages as runs. The oldest go when there is no room; a node that has not heard of
//          one that went is told that everything may have changed. So it is when the log is
//          another one than the node knew: each has an epoch of its own. Zeros are a log that has
//          not begun. Pure.
// Threads  owned by one thread.
// Blocks   never.
// Source   Keleher et al., Lazy release consistency (write notices); docs/design/mm.md
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "krg/base/ids.h"
#include "krg/mm/stream.h"

namespace krg::mm {

// What a node has heard of, at last.
struct Heard {
  std::uint64_t epoch = 0;
  std::uint64_t release = 0;
  bool operator==(const Heard&) const = default;
  static void wire_fields(auto& m, auto&& visit) { visit(m.epoch, m.release); }
};

struct News {
  Heard now;
  bool all = false;           // Everything may have changed; else
  std::vector<Stretch> runs;  // these pages, in order.
};

// In `runs` each page once, in order. Cost: of sorting.
void unite(std::vector<Stretch>& runs);

// A log that is read.
class Notices {
 public:
  static constexpr std::size_t kBytes = std::size_t{64} << 10;

  // Requires  `bytes` is where a std::uint64_t may lie, has kBytes and outlives this.
  explicit Notices(std::span<const std::byte> bytes) noexcept;

  // 0: it has not begun.
  std::uint64_t epoch() const noexcept { return words_[kEpoch]; }
  // What other nodes than `node` have written since. Cost: the entries of that.
  News since(NodeId node, Heard heard) const;

 private:
  friend class NoticesWriter;
  static constexpr std::size_t kWords = kBytes / sizeof(std::uint64_t);
  // The first words. A place in the ring is a number that only grows.
  enum Word : std::size_t { kEpoch, kNow, kForgotten, kHead, kTail, kRing = 8 };
  static constexpr std::size_t kRoom = kWords - kRing;
  // Of an entry: its number, node and runs' number before the runs; its length behind them, so
  // that the newest are found first.
  static constexpr std::uint64_t kAround = 3;

  std::uint64_t at(std::uint64_t place) const noexcept { return words_[kRing + place % kRoom]; }

  std::span<const std::uint64_t> words_;
};

// A log that is written.
class NoticesWriter {
 public:
  // Requires  as of Notices.
  explicit NoticesWriter(std::span<std::byte> bytes) noexcept;

  // Requires  epoch != 0, no other log of the region had it.
  void begin(std::uint64_t epoch) noexcept;
  // A release of `node` has changed these pages; its number. Requires  begin().
  // Cost    the runs, and the entries that go for them.
  std::uint64_t append(NodeId node, std::span<const Stretch> runs) noexcept;

 private:
  std::uint64_t& at(std::uint64_t place) noexcept {
    return words_[Notices::kRing + place % Notices::kRoom];
  }
  void forget_oldest() noexcept;

  std::span<std::uint64_t> words_;
};

}  // namespace krg::mm
