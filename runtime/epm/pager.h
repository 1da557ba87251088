// pager.h: the memory of a task that has come without it: pages arrive when they are touched or in
// the order they are sent.
//
// Model    a context is an address space and what it still lacks: the task's own, and that of each
//          child that it forks meanwhile. A range that is lacked knows where it was at the source,
//          so mremap() moves it and fork() copies it. A page goes to every context that lacks it;
//          what was never there is zero. When nothing is lacked, faults are no longer taken.
// Threads  owned by the reactor's thread.
// Blocks   never; UFFDIO_COPY for 1 us a page.
// Source   ioctl_userfaultfd(2), userfaultfd(2) "Events"; docs/design/epm.md, "Pages"
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "krg/base/unique_fd.h"
#include "krg/epm/image.h"
#include "krg/reactor/reactor.h"

namespace krg::epm {

// What a context lacks, and where it was at the source.
class Lacking {
 public:
  void add(Range range) { spans_.push_back({range.first, range.second, range.first}); }
  bool empty() const noexcept { return spans_.empty(); }
  // Without [begin, end).
  void remove(std::uint64_t begin, std::uint64_t end);
  void move(std::uint64_t from, std::uint64_t to, std::uint64_t bytes);
  // How many whole pages from `at` on are lacked and were together at the source, at most `most`;
  // and where the first was.
  std::uint64_t count(std::uint64_t at, std::uint64_t most, std::uint64_t& source) const;
  // Where, here, the source's pages of [begin, end) are lacked: {here, at the source, bytes}.
  struct Piece {
    std::uint64_t here = 0, source = 0, bytes = 0;
  };
  std::vector<Piece> pieces(std::uint64_t begin, std::uint64_t end) const;

 private:
  struct Span {
    std::uint64_t begin = 0, end = 0, source = 0;
  };
  std::vector<Span> spans_;  // Those that are taken out of the middle leave two.
};

class Pager {
 public:
  // Asks for pages of the source; told once when no context lacks anything.
  using Want = std::function<void(std::uint64_t source, std::uint64_t pages)>;
  using Done = std::function<void()>;

  Pager(reactor::Reactor& reactor, Want want, Done done);
  Pager(const Pager&) = delete;
  Pager& operator=(const Pager&) = delete;
  ~Pager();

  // Makes the task's userfaultfd, just made and non-blocking, watch what `mappings` lacks: all
  // anonymous pages that are present at the source. Errors  system_error
  Status open(UniqueFd faults, const std::vector<MappingImage>& mappings);
  bool is_open() const noexcept { return !contexts_.empty(); }
  // Whether [begin, end) is looked after here.
  bool covers(std::uint64_t address) const noexcept;
  // Pages that have come from the source.
  void arrived(std::uint64_t source, std::span<const std::byte> bytes);
  // From when the task runs: looks after faults.
  void start();

 private:
  struct Context;
  void on_event(Context& context);
  bool take_event(Context& context);
  void fault(Context& context, std::uint64_t address);
  bool copy(Context& context, const Lacking::Piece& piece, const std::byte* from);
  void zero(Context& context, std::uint64_t page);
  void finish_if_whole();

  reactor::Reactor& reactor_;
  const Want want_;
  const Done done_;
  bool running_ = false;
  std::vector<Range> watched_;
  std::vector<std::unique_ptr<Context>> contexts_;
};

}  // namespace krg::epm
