// pager.h: serves the faults of this node's tasks, and lets the protocol take pages away.
//
// Model    kddm's linker and residence for the sets that are regions: object i is page i. A fault
//          that the node can not answer fetches the page: get or grab, then the tasks are let in
//          while the lease lasts, so nothing can take the page before. From then on tasks use it
//          without a lease, until protect() or vacate() comes.
// Threads  owned by the reactor's thread.
// Blocks   never; fetches suspend.
// Source   docs/design/mm.md; Li and Hudak, Memory coherence in shared virtual memory systems
#pragma once

#include <memory>
#include <unordered_map>
#include <vector>

#include "fault_poll.h"
#include "holds.h"
#include "krg/kddm/kddm.h"
#include "krg/store/linker.h"
#include "pins.h"
#include "region.h"

namespace krg::mm {

// As sets name the linker.
inline constexpr const char* kLinkerName = "pages";

class Releases;

class Pager final : public kddm::Linker, private kddm::Residence, private Mapping::Owner {
 public:
  // `patience`: how long a task waits for a page that there is no room for.
  Pager(reactor::Reactor& reactor, NodeId self, Duration patience)
      : reactor_(reactor), self_(self), patience_(patience), faults_(reactor), holds_(reactor) {}
  Pager(const Pager&) = delete;
  Pager& operator=(const Pager&) = delete;
  // Requires  no kddm::Block is left of it, and its coroutines have been cancelled.
  ~Pager() override;

  // Before the first task. It is used until stop().
  void use(kddm::Kddm& kddm) noexcept { kddm_ = &kddm; }
  // Nobody is served any more; before the Kddm goes.
  void stop() noexcept {
    holds_.clear();
    pins_.clear();
  }
  Pins& pins() noexcept { return pins_; }
  kddm::Kddm& kddm() noexcept { return *kddm_; }
  NodeId self() const noexcept { return self_; }
  // Whom regions go to that are not sequential. Before the first of them.
  void use(Releases& releases) noexcept { releases_ = &releases; }
  reactor::Reactor& reactor() noexcept { return reactor_; }

  static kddm::SetOptions options_of(const RegionInfo& info);
  // What a set's options say; the set's id is not among them.
  // Errors  invalid_argument, protocol_error  it is no region
  static Result<RegionInfo> info_of(const kddm::SetOptions& options);

  // The region's part on this node, made now if there is none.
  // Errors  those of Region::make(); not_found  it was destroyed; those of info_of()
  Result<Region*> region(kddm::SetId set, const kddm::SetOptions& options);
  // nullptr: nothing of it is here.
  Region* find(kddm::SetId set) noexcept;
  const auto& regions() const noexcept { return regions_; }
  // A lease has come: lets those in who waited for the page; true: others want to write.
  bool let_in(Region& region, Page page, bool write);
  // The page can not be had now; true: it is worth trying again.
  bool is_passing(const Error& why) const noexcept;
  // Who waits for it gets SIGBUS.
  void give_up(Region& region, Page page, const Error& why);
  // Errors  those of Region::admit()
  Status admit(Region& region, Mapping::Task task) {
    return region.admit(faults_, *this, std::move(task));
  }

  // --- kddm::Linker
  const char* name() const noexcept override { return kLinkerName; }
  Status accepts(const kddm::SetOptions& options) const override;
  void end(kddm::SetId set) noexcept override;
  kddm::Residence* residence() noexcept override { return this; }
  void begin(kddm::SetId set, const kddm::SetOptions& options) override;
  NodeId preferred_home(kddm::SetId set, kddm::ObjectId object) const noexcept override;
  // Zeros, without a look at the bytes: they cost no page of krgd's address space then.
  Co<Status> first_touch(kddm::SetId set, kddm::ObjectId object, Bytes into) override;

 private:
  // --- kddm::Residence
  std::span<std::byte> place(kddm::SetId set, kddm::ObjectId object) noexcept override;
  void let_go(kddm::SetId set) noexcept override;
  void write(kddm::SetId set, kddm::ObjectId object,
             std::span<const std::byte> from) noexcept override;
  void read(kddm::SetId set, kddm::ObjectId object, std::span<std::byte> into) noexcept override;
  bool is_open(kddm::SetId set, kddm::ObjectId object) const noexcept override;
  void protect(kddm::SetId set, kddm::ObjectId object) noexcept override;
  void vacate(kddm::SetId set, kddm::ObjectId object) noexcept override;
  bool may_move(kddm::SetId set, kddm::ObjectId object) const noexcept override;
  void cool(kddm::SetId set, kddm::ObjectId object) noexcept override;
  bool is_warm(kddm::SetId set, kddm::ObjectId object) const noexcept override;

  // --- Mapping::Owner
  void on_fault(Region& region, Page page, const Pages::Waiting& who) override;
  void on_end(Region& region, Seat seat) noexcept override;

  Co<void> fetch(kddm::SetId set, Page page, bool write);
  // Of a task's stream: what comes next.
  Co<void> bring(kddm::SetId set, Stretch ahead, bool write);
  Co<void> remove_later(kddm::SetId set, Seat seat, pid_t pid);
  // nullptr: its pages do not lie in the region's memory, which is a cache of them.
  Region* residence_of(kddm::SetId set) noexcept;
  // The node is full, and has been for long.
  void give_up_for_want_of_room(Region& region, Page page);
  void forget_if_idle(kddm::SetId set) noexcept;

  struct Blocks {
    std::uint64_t pages = 1;  // Of each.
    cluster::NodeSet nodes;
  };

  reactor::Reactor& reactor_;
  const NodeId self_;
  const Duration patience_;
  FaultPoll faults_;
  Holds holds_;
  Pins pins_;
  kddm::Kddm* kddm_ = nullptr;
  Releases* releases_ = nullptr;
  std::unordered_map<kddm::SetId, std::unique_ptr<Region>> regions_;
  std::unordered_map<kddm::SetId, Blocks> blocks_;  // Of those that are placed so.
};

}  // namespace krg::mm
