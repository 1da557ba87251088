// region.h: a region's memory on this node: the memfd that its tasks map, and who has what of it.
//
// Model    the memory is a memfd, mapped here as a whole (the alias, which as a rule nobody
//          touches) and by each task under a userfaultfd. A page's contents are in the memfd while
//          the node has a copy of it; else there is a hole. What protect() and vacate() take away
//          is taken from all tasks when they return.
// Threads  owned by the reactor's thread.
// Blocks   never.
// Source   docs/design/mm.md, "Orders"; facts: write-protect, look, punch
#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include "krg/base/unique_fd.h"
#include "krg/mm/pages.h"
#include "krg/mm/traffic.h"
#include "krg/mm_calls/calls.h"
#include "mapping.h"

namespace krg::mm {

class Region {
 public:
  // Errors  no_memory; too_large; system_error
  // Requires  `reactor` outlives it.
  static Result<std::unique_ptr<Region>> make(reactor::Reactor& reactor, RegionInfo info);
  Region(const Region&) = delete;
  Region& operator=(const Region&) = delete;
  ~Region();

  const RegionInfo& info() const noexcept { return info_; }
  int fd() const noexcept { return memory_.get(); }
  Pages& pages() noexcept { return pages_; }
  const Pages& pages() const noexcept { return pages_; }
  Traffic& traffic() noexcept { return traffic_; }
  const Traffic& traffic() const noexcept { return traffic_; }

  // --- What changes
  const RegionState& state() const noexcept { return state_; }
  // Its bytes are now so many, and its tasks may write or not; false: that is old news. Who reads
  // or writes behind its end gets SIGBUS, who may not write waits.
  // Requires  state.bytes in whole pages, at most info().capacity.
  bool apply(const RegionState& state) noexcept;
  bool is_inside(Page page) const noexcept { return page.value < state_.bytes / kPageBytes; }

  // --- As kddm::Residence
  std::span<std::byte> place(Page page) noexcept;
  void let_go() noexcept { --lent_; }
  void protect(Page page) noexcept;
  void vacate(Page page) noexcept;
  // The same of pages that follow each other; none is taken by anybody in the first.
  void protect(Page first, std::uint64_t count) noexcept;
  void vacate(Page first, std::uint64_t count) noexcept;
  // Takes the page from all tasks, which get it back by their next touch: no word to anybody.
  void cool(Page page) noexcept;
  bool is_warm(Page page) const noexcept { return !pages_.is_cold(page); }
  // Puts zeros where the memory has a hole. Errors  no_memory
  Status refill(Page page) noexcept;
  // The contents of a page; by system calls, since each page that krgd maps costs two faults' time.
  void write(Page page, std::span<const std::byte> from) noexcept;
  // Where krgd itself has the page mapped. Requires  is_inside(page), the memory has no hole there.
  std::byte* address(Page page) const noexcept { return alias_ + page.value * kPageBytes; }
  // Also of several that follow each other.
  void read(Page page, std::span<std::byte> into) noexcept;
  bool is_place(Page page, const std::byte* at) const noexcept {
    return at == alias_ + page.value * kPageBytes;
  }
  // It does not exist any more: who touches it gets SIGBUS.
  void end() noexcept;
  bool ended() const noexcept { return ended_; }
  // Whether nobody looks at its memory here.
  bool idle() const noexcept { return lent_ == 0; }

  // --- Tasks
  // Errors  limit_reached; system_error
  Status admit(FaultPoll& faults, Mapping::Owner& owner, Mapping::Task task);
  // nullptr: there is none (any more).
  Mapping* seated(Seat seat) noexcept;
  // kNobody: it has not.
  Seat seat_of(pid_t pid, std::uintptr_t address) const noexcept;
  void remove(Seat seat) noexcept;
  std::size_t tasks() const noexcept { return tasks_; }
  // The fetch has brought so much of the page, which is given to all who are content with it.
  // True: others want to write, and the caller is to grab.
  bool grant(Page page, Access access);
  // What has been granted is given to the task: the page, and up to `most` in all that follow it
  // and are open so far. How many. Requires  the page is.
  std::uint64_t open(Page page, const Pages::Waiting& who, std::uint64_t most) noexcept;
  // The same of a task that has not asked: whatever it maps of them already stays.
  // Requires  all are open so far.
  void populate(Page first, std::uint64_t count, Seat seat, bool write) noexcept;
  bool has_task(pid_t pid) const noexcept;
  template <class Condition>
  bool all_tasks(Condition&& condition) const {
    return std::all_of(seats_.begin(), seats_.end(),
                       [&](const auto& seat) { return !seat || condition(seat->task().pid); });
  }
  // Of a region of several copies: the page may have been written since it was last safe.
  void note_unsafe(Page page) { unsafe_.push_back(page); }
  // Those, each once; from now on they are not noted.
  std::vector<Page> take_unsafe();
  // Of the clock that Pages is told.
  std::uint32_t now_us() const noexcept;

 private:
  Region(reactor::Reactor& reactor, RegionInfo info, UniqueFd memory, std::byte* alias)
      : reactor_(reactor),
        info_(std::move(info)),
        memory_(std::move(memory)),
        alias_(alias),
        state_{0, info_.bytes, {}},
        pages_(info_.capacity / kPageBytes) {}
  void resize(std::uint64_t bytes) noexcept;
  void take_rights() noexcept;
  // Nobody can write it. Of the tasks; the protocol's rights stay.
  void protect_from_tasks(Page page) noexcept;
  bool punch(Page first, std::uint64_t count) noexcept;

  reactor::Reactor& reactor_;
  const RegionInfo info_;
  UniqueFd memory_;
  std::byte* const alias_;
  RegionState state_;
  Pages pages_;
  Traffic traffic_;
  std::vector<std::unique_ptr<Mapping>> seats_;  // By seat; nullptr: free.
  std::vector<Pages::Waiting> served_;           // Keeps its memory.
  std::vector<Page> unsafe_;
  std::size_t tasks_ = 0;
  std::size_t lent_ = 0;
  bool ended_ = false;
};

}  // namespace krg::mm
