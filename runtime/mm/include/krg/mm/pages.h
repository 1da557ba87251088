// mm/pages.h: what a node knows of the pages of one region: who may do what, and who waits.
//
// Model    a page is open to nobody, to be read, or to be written; that is what the node has of it
//          by the protocol, and its tasks map no more. A fault is answered from that, or waits for
//          the one fetch of its page. Tasks are known by their seats. Pure: no system call, no
//          clock; the pager does what the answers say.
// Threads  owned by one thread.
// Blocks   never.
// Source   docs/design/mm.md, "Pages"; facts of userfaultfd: Linux, mm/userfaultfd.c
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

#include "krg/base/ids.h"

namespace krg::mm {

using Page = StrongId<struct PageTag, std::uint64_t>;  // From 0 in its region.
using Seat = StrongId<struct SeatTag, std::uint16_t>;  // A task's mapping of a region.

inline constexpr Seat kNobody{0xffff};   // Of writers: none.
inline constexpr Seat kAnybody{0xfffe};  // More than one.
inline constexpr std::uint16_t kSeatsMax = 0xfffe;

enum class Access : std::uint8_t { none, read, write };

class Pages {
 public:
  // A fault that is to be ended.
  struct Waiting {
    Seat seat;
    bool write = false;
    bool mapped = false;  // To be read; it needs the permission alone.
  };
  enum class Answer {
    map,   // The node has what it needs.
    wait,  // The page is being fetched; granted() gives the fault back.
    get,   // The same, and the caller is to fetch it, to be read or
    grab,  // to be written.
  };

  explicit Pages(std::uint64_t count) : count_(count) {}

  std::uint64_t count() const noexcept { return count_; }
  // Pages that are open, or have been.
  std::size_t known() const noexcept { return chunks_.size() * kChunk; }
  Access access(Page page) const noexcept;
  // How many pages from `first` on are open so far or further, up to `most`.
  std::uint64_t run(Page first, Access least, std::uint64_t most) const noexcept;

  // Requires  page < count().
  Answer fault(Page page, const Waiting& who);
  // The fetch has brought so much, at `now_us` of any clock. Gives back, in `served`, who is
  // content with it; true: others want to write, and the caller is to grab.
  bool granted(Page page, Access access, std::uint32_t now_us, std::vector<Waiting>& served);
  // For how many microseconds the page is not to be taken from now on: more, the more often it was
  // taken at once; mostly none.
  std::uint32_t hold_us(Page page) const noexcept;
  // It has brought nothing: all who wait for it.
  std::vector<Waiting> failed(Page page);
  // Whether anybody waits for it.
  bool is_wanted(Page page) const noexcept;

  // The seat has been given the right to write the page. Requires  it is open for that.
  void note_writer(Page page, Seat seat) noexcept;
  // Who has: nobody, one seat, or anybody.
  Seat writer(Page page) const noexcept;
  // The pages that somebody may write. Cost: all that are known.
  std::vector<Page> written() const;
  // The pages from `first` on that are open, in order. Cost: all that are known.
  std::vector<Page> open_from(Page first) const;
  // Nobody may, though the node could let somebody.
  void forget_writer(Page page) noexcept { at(page).writer = kNobody; }
  // No task maps it, so the next touch is noticed: it is cold until some task is let in.
  void cool(Page page) noexcept;
  void warm(Page first, std::uint64_t count) noexcept;
  bool is_cold(Page page) const noexcept;
  // It can be read at most.
  void protect(Page page, std::uint32_t now_us) noexcept;
  // It is open to nobody.
  void vacate(Page page, std::uint32_t now_us) noexcept;
  // The task is gone: it waits for nothing.
  void forget(Seat seat);

 private:
  static constexpr std::uint64_t kChunk = 512;
  // Taken so soon after it was granted: a thread that was to use it may not have run.
  static constexpr std::uint32_t kSoonUs = 100;
  static constexpr std::uint8_t kBouncesMax = 8;
  static constexpr std::uint8_t kBouncesFree = 2;  // So many do not count.
  static constexpr std::uint32_t kHoldUs = 25;     // Doubled for each further one.
  static constexpr std::uint32_t kHoldMaxUs = 400;
  struct State {
    Access access = Access::none;
    std::uint8_t bounces : 7 = 0;
    bool cold : 1 = false;
    Seat writer = kNobody;
    std::uint32_t granted_us = 0;
  };
  using Chunk = std::array<State, kChunk>;

  const State* find(Page page) const noexcept;
  State& at(Page page);
  static void count_bounce(State& state, std::uint32_t now_us) noexcept;

  const std::uint64_t count_;
  // By page / kChunk: a region is mostly touched in parts.
  std::unordered_map<std::uint64_t, std::unique_ptr<Chunk>> chunks_;
  std::unordered_map<Page, std::vector<Waiting>> fetches_;
};

}  // namespace krg::mm
