// mapping.h: one task's mapping of a region, with the userfaultfd that it has passed.
//
// Model    faults are handed to the owner as pages; what is done to the task's pages ends silently
//          when the task has no such mapping any more. The owner is told of the task's end.
// Threads  owned by the reactor's thread.
// Blocks   never.
// Source   docs/design/mm.md, "Tasks"; ioctl_userfaultfd(2)
#pragma once

#include <sys/types.h>

#include "fault_poll.h"
#include "krg/base/unique_fd.h"
#include "krg/mm/pages.h"
#include "krg/mm/stream.h"
#include "krg/reactor/reactor.h"
#include "krg/uffd/uffd.h"

namespace krg::mm {

class Region;

class Mapping final {
 public:
  class Owner {
   public:
    virtual void on_fault(Region& region, Page page, const Pages::Waiting& who) = 0;
    // The task has ended; the mapping is to be removed, not from within.
    virtual void on_end(Region& region, Seat seat) noexcept = 0;

   protected:
    ~Owner() = default;
  };
  struct Task {
    pid_t pid = -1;
    std::uintptr_t address = 0;  // Where it has mapped the region.
    bool read_only = false;
    Uffd uffd;
    UniqueFd process;  // A pidfd.
  };

  // Requires  region and owner outlive this.
  Mapping(reactor::Reactor& reactor, FaultPoll& faults, Owner& owner, Region& region, Seat seat,
          Task task);
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;
  ~Mapping();

  // Begins. Errors  system_error
  Status watch();

  const Task& task() const noexcept { return task_; }
  Stream& stream() noexcept { return stream_; }

  // The pages first ... first + count - 1, which lie in the region's memory, can be read, or also
  // written; who waits for them goes on. `mapped`: the first is mapped to be read.
  void open(Page first, std::uint64_t count, bool write, bool mapped) noexcept;
  // As open(), of pages of which some may be mapped already, and for which nobody may wait.
  void populate(Page first, std::uint64_t count, bool write) noexcept;
  void protect(Page first, std::uint64_t count = 1) noexcept;
  void poison(Page page) noexcept;
  // Who waits for it tries again.
  void wake(Page page) noexcept;
  void wake_all() noexcept;

 private:
  struct OnFault final : reactor::FdHandler {
    explicit OnFault(Mapping& m) noexcept : mapping(m) {}
    void on_fd(std::uint32_t) noexcept override { mapping.take_faults(); }
    Mapping& mapping;
  };
  struct OnEnd final : reactor::FdHandler {
    explicit OnEnd(Mapping& m) noexcept : mapping(m) {}
    void on_fd(std::uint32_t) noexcept override;
    Mapping& mapping;
  };

  void take_faults() noexcept;
  std::uintptr_t address_of(Page page) const noexcept;
  // Not because the task is gone, or has unmapped: nobody waits there then.
  void complain(const Error& error, Page page, const char* what) const noexcept;

  reactor::Reactor& reactor_;
  FaultPoll& faults_;
  Owner& owner_;
  Region& region_;
  const Seat seat_;
  Task task_;
  Stream stream_;
  OnFault on_fault_{*this};
  OnEnd on_end_{*this};
};

}  // namespace krg::mm
