// releases.h: regions of release consistency and local ones, for this node's tasks.
//
// Model    tasks of a node use one copy. A first store makes a twin; a release captures all that
//          the node has written, sends it to the pages' homes, one message for each, and posts
//          which pages they were; an acquire asks which pages others have posted since the last
//          one, and drops these. What one task releases of another's writes is early, not wrong:
//          who may read it by then waits for that other task's release anyway. Tasks that release
//          or acquire at the same time share the messages.
//          A local region is memory of this node, zeros at first.
// Threads  owned by the reactor's thread.
// Blocks   never; it suspends, until the deadline.
// Source   docs/design/mm.md, "Release consistency"; docs/decisions/0013*
#pragma once

#include <memory>
#include <span>
#include <unordered_map>
#include <vector>

#include "homes.h"
#include "krg/cluster/view_listener.h"
#include "region_copy.h"

namespace krg::mm {

class Releases final : public cluster::ViewListener {
 public:
  explicit Releases(Pager& pager) noexcept
      : pager_(pager), homes_(pager, [this](kddm::SetId set, Page page) { share(set, page); }) {}

  void serve(gate::Server& gate);
  void join(const Peers& peers);
  Homes& homes() noexcept { return homes_; }

  // Of a region that is not sequential.
  void on_fault(Region& region, Page page, const Pages::Waiting& who);
  // A task is gone, or the region is smaller.
  void on_detach(const Region& region);
  void on_resize(Region& region);
  void end(kddm::SetId set) noexcept;
  // Before the Kddm goes.
  void stop() noexcept;

  // --- cluster::ViewListener: where pages are at home is about to change.
  const char* name() const noexcept override { return "mm"; }
  Co<Status> prepare(const cluster::ViewChange& change, Deadline deadline) override;
  void abort(const cluster::ViewChange& change) noexcept override;
  void commit(const cluster::ViewChange& change) noexcept override;

  // All of the pages can be read here when it returns, as far as they still are.
  // Errors  of the first page that could not be brought; the others are
  Co<Status> bring(kddm::SetId set, Page first, std::uint64_t count, Deadline deadline);
  // The same, to be written: no store to them is a fault. Errors  as of bring()
  Co<Status> take(kddm::SetId set, Page first, std::uint64_t count, Deadline deadline);
  // None is here; what was written of them is at home.
  Co<Status> give_up(kddm::SetId set, Page first, std::uint64_t count, Deadline deadline);

  // What all tasks of the node have written is at home, and whoever acquires will know of it.
  // Errors  lost  of some pages; timed_out; not_found
  Co<Status> release(kddm::SetId set, Deadline deadline);
  // What others have released before this began is seen. Errors  timed_out; not_found
  Co<Status> acquire(kddm::SetId set, Deadline deadline);
  // A lock comes from node `from`: what was written there is released, and seen here; of all
  // regions. kNoNode: it is not known from where, so all nodes release.
  // Errors  peer_down  it died before it had released, all else is seen; timed_out
  Co<Status> take_over(NodeId from, Deadline deadline);
  // Pages that are this node's alone.
  std::size_t alone(kddm::SetId set) const noexcept;

 private:
  // Coroutines use it, that may outlive the region.
  using Copy = std::shared_ptr<RegionCopy>;
  struct Parcel;
  struct Fetching;

  Copy copy_of(kddm::SetId set);
  Region* living(kddm::SetId set) noexcept;
  // Errors  invalid_argument; not_found
  Status check(const gate::Call& call, const calls::Fenced& regions);
  using Fence = Co<Status> (Releases::*)(kddm::SetId set, Deadline deadline);
  Co<Result<wire::Empty>> for_each(gate::Call& call, calls::Fenced request, Fence fence);

  // --- Locks that change nodes: hand_over.cpp
  void serve_hand_overs(gate::Server& gate);
  void join_hand_overs();
  Co<Result<calls::TakeOver::Reply>> take_over(gate::Call& call, calls::TakeOver::Request request);
  Co<Result<wire::Empty>> flush();
  std::vector<kddm::SetId> sets() const;

  // --- To the homes: sends.cpp
  Co<void> release_later(kddm::SetId set);
  // Until this send, and all before it, have ended. Errors  of this one; timed_out
  Co<Status> sent(Copy copy, std::uint64_t send, Deadline deadline);
  void start_sending(kddm::SetId set, const Copy& copy);
  Co<void> send_all(kddm::SetId set, Copy copy);
  // Errors  lost  of some pages; the others are at home
  Co<Status> send(kddm::SetId set, RegionCopy& copy, const Outgoing& outgoing);
  Co<std::vector<Parcel>> pack(kddm::SetId set, std::vector<Outgoing::Part> parts);
  Co<void> send_parcel(kddm::SetId set, const Outgoing& outgoing, Parcel& parcel,
                       reactor::WaitGroup& all);
  Co<void> post(kddm::SetId set, RegionCopy& copy, const Outgoing& outgoing);
  void lose(kddm::SetId set, RegionCopy& copy, const std::vector<Page>& pages);

  // --- Pages of this node alone: exclusive.cpp
  bool has_room() const noexcept;
  Co<void> name_quiet(kddm::SetId set, Copy copy);
  // Requires  a notice of view `epoch` has named them.
  Co<void> make_alone(kddm::SetId set, Copy copy, std::vector<Page> pages, Epoch epoch);
  void share(kddm::SetId set, Page page);

  // --- From the homes
  Co<void> ask(kddm::SetId set, Copy copy);
  // These pages are dropped; `refresh`: or fetched anew, those that are used.
  Co<void> take_news(kddm::SetId set, Copy copy, std::vector<Stretch> runs, bool refresh);
  // Requires  a fetch of each of them has begun. When it returns they are new, or not here.
  Co<void> refresh(kddm::SetId set, std::vector<Page> pages);
  Co<void> fetch(kddm::SetId set, Page page);
  Co<Status> fetch_from(kddm::SetId set, NodeId home, std::vector<Page> pages);
  // Requires  as of refresh(); at most FetchPages::kMost.
  Co<Status> fetch_begun(kddm::SetId set, NodeId home, std::vector<Page> pages);
  Status place(kddm::SetId set, const Copy& copy, const std::vector<Page>& pages,
               const Result<rpc::WithData<FetchPages::Reply>>& reply);
  Co<void> fetch_beside(Co<Status> fetching, std::shared_ptr<Fetching> all);
  // Begins to fetch what of these pages is missing, up to FetchPages::kMost of them.
  Co<Status> begin_fetching(kddm::SetId set, std::span<const Page> pages,
                            std::shared_ptr<Fetching> all, Deadline deadline);
  Co<void> bring_ahead(kddm::SetId set, Stretch ahead);
  void let_in(Region& region, RegionCopy& copy, Page page);
  std::uint64_t open_local(Region& region, Page page, Pages::Waiting who, std::uint64_t most);

  Pager& pager_;
  Homes homes_;
  Peers peers_;
  std::unordered_map<kddm::SetId, Copy> copies_;
  bool changing_ = false;  // The view: no page becomes this node's alone,
  TimePoint settled_at_;   // nor before this.
};

}  // namespace krg::mm
