// region_copy.h: this node's copy of a region of release consistency.
//
// Model    of the pages that the node has, its tasks read and write them in the region's memory,
//          all the same. A page that is written has a twin, as it was before. To capture a page is
//          to put down how it differs from its twin, which is then what was captured: a store that
//          comes between is in the next diff, so nobody has to stop, and who writes a page again
//          and again has no fault. One that was not written for some captures is closed: tasks
//          lose the right, then it is compared, and has no twin any more. What is captured waits
//          here for its way home; until it is there the page is not fetched from there, or the node
//          would see its own writes undone. A page that is dropped while it is fetched is fetched
//          again. One that others have written may stay until its new contents are put in its
//          place: what others have changed, since nobody else writes that.
//          A page that is at home here and that no other node asks for is this node's alone: it
//          holds the page's object, there is no twin, and a release has nothing to do with it. The
//          first node that asks makes it an ordinary page again. Before a page becomes so, a notice
//          names it: whoever has an old copy drops that, and has to ask.
// Threads  owned by the reactor's thread.
// Blocks   never.
// Source   docs/design/mm.md, "Release consistency"
#pragma once

#include <array>
#include <memory>
#include <unordered_map>
#include <utility>
#include <vector>

#include "krg/kddm/lease.h"
#include "krg/mm/diff.h"
#include "krg/mm/notices.h"
#include "krg/reactor/event.h"
#include "region.h"

namespace krg::mm {

// Diffs on their way.
struct Outgoing {
  struct Part {
    Page page;
    std::size_t begin = 0;  // Of `bytes`.
    std::size_t size = 0;
  };
  std::vector<Part> parts;  // In the order of capture.
  std::vector<std::byte> bytes;
  std::vector<Page> named;  // Nothing of them has changed, but they are to be this node's alone.
};

class RegionCopy {
 public:
  explicit RegionCopy(reactor::Reactor& reactor) : changed_(reactor) {}
  RegionCopy(const RegionCopy&) = delete;
  RegionCopy& operator=(const RegionCopy&) = delete;

  // --- Writing
  // The page and those behind it, up to `most` in all, that can be read here can be written too.
  void begin_writing(Region& region, Page page, std::uint64_t most);
  // What is written, in order.
  std::vector<Page> dirty() const;
  // As far as these pages still are. Requires  they are in order.
  // Cost  of each run of 16 a system call, or two more if it is closed, and 1 us a page.
  void capture(Region& region, std::span<const Page> pages);
  // Of these pages the node has nothing any more; what is written is captured. With `stale`: but
  // for those at its end, up to kRefreshMost, which stay as they are, and of which a fetch has
  // begun.
  static constexpr std::size_t kRefreshMost = 1024;
  void drop(Region& region, const Stretch& pages, std::vector<Page>* stale = nullptr);
  // What is behind the region's end is forgotten.
  void trim(Region& region);

  // --- This node's alone: exclusive.cpp
  // Pages that no other node has asked for in the last captures, each once.
  std::vector<Page> take_quiet() noexcept { return std::exchange(quiet_, {}); }
  // It is at home here: the next notice names it.
  void name(Page page) { outgoing_.named.push_back(page); }
  // A notice has named it, and still nobody has asked.
  bool may_be_alone(const Region& region, Page page) const noexcept;
  // Requires  may_be_alone(); `lease` is of the page's object, for writing.
  void make_alone(Region& region, Page page, kddm::Lease lease);
  // Another node asks for the page, or has written it: its object is as the page is.
  void share(Region& region, Page page);
  // The same of all, or `most` of them: these can only be read then. How many there were.
  std::size_t share_some(Region& region, std::size_t most);
  std::size_t alone() const noexcept { return alone_.size(); }
  // Of a region that has ended.
  void forget_alone() noexcept { alone_.clear(); }

  // --- On the way home
  bool has_outgoing() const noexcept {
    return !outgoing_.parts.empty() || !outgoing_.named.empty();
  }
  Outgoing take_outgoing() noexcept { return std::exchange(outgoing_, {}); }
  void arrived_home(const Outgoing& outgoing);

  // --- On the way here
  // Whether the page can be fetched now: nobody does, nothing of it is on its way home, and it is
  // not here.
  bool is_missing(const Region& region, Page page) const noexcept;
  void begin_fetch(Page page) { fetches_[page] = false; }
  // False: it was dropped, or captured, since.
  bool end_fetch(Page page) noexcept;
  // The page, which is here, becomes what its home says, but for what was written here since.
  // Requires  end_fetch() was true.
  void renew(Region& region, Page page, PageView content);
  // Some task has had a fault there.
  void note_used(Page first, std::uint64_t count) noexcept;
  // What is fetched of these pages now is dropped. Cost: of all that is.
  void drop_fetches(const Stretch& pages) noexcept;

  // --- What coroutines of the region tell each other
  // Set for an instant when anything has changed that one of them may wait for.
  reactor::Event& changed() noexcept { return changed_; }
  void tell() noexcept {
    changed_.set();
    changed_.clear();
  }
  bool ended = false;  // The region was destroyed.

  std::uint64_t sends_begun = 0;  // Of what was captured.
  std::uint64_t sends_done = 0;
  bool sending = false;
  Status failed;  // Of send `failed_at`.
  std::uint64_t failed_at = 0;

  std::uint64_t asked = 0;  // For notices: how often tasks have, and up to which
  std::uint64_t answered = 0;
  bool asking = false;
  Heard heard;

 private:
  using Twin = std::array<std::byte, kPageBytes>;
  struct Written {
    std::unique_ptr<Twin> twin;
    unsigned idle = 0;   // Captures in which it had not changed.
    unsigned quiet = 0;  // Captures since another node has asked for it.
  };
  static constexpr unsigned kIdleMost = 3;
  static constexpr unsigned kQuietLeast = 3;

  std::unique_ptr<Twin> take_twin();
  void give_twin(std::unique_ptr<Twin> twin);
  void forget_twin(Page page);
  bool may_stay(Page page, const std::vector<Page>* stale);
  void compare(Page page, PageView now);
  void capture_run(Region& region, Page first, std::uint64_t count, std::vector<Page>& idle);
  void close(Region& region, std::span<const Page> pages);
  void put_back(Region& region, Page page);

  std::unordered_map<Page, Written> written_;
  std::vector<std::unique_ptr<Twin>> spare_twins_;
  std::unordered_map<Page, unsigned> homeward_;  // Diffs of each page that are not at home yet.
  std::unordered_map<Page, bool> fetches_;       // True: it was dropped, or captured, since.
  // How often a page was fetched anew since somebody had a fault there. It need not be used any
  // more: every so often it is dropped, which shows.
  std::unordered_map<Page, unsigned> refreshed_;
  static constexpr unsigned kUnseenMost = 8;
  std::unordered_map<Page, kddm::Lease> alone_;
  std::vector<Page> quiet_;
  Outgoing outgoing_;
  reactor::Event changed_;
};

}  // namespace krg::mm
