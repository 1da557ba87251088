// homes.h: a node's part as the home of pages, and of notices, of regions of release consistency.
//
// Model    a page's contents at home are an object of KDDM on the heap, which its home alone uses;
//          so is the log of notices, at the home of the region's. Who asks another node than the
//          home is served too, by KDDM: it costs a message more, and nothing else. So what a view
//          changes, what leaves and what dies is KDDM's business.
// Threads  owned by the reactor's thread.
// Blocks   never; it suspends.
// Source   docs/decisions/0013-release-consistency-by-homes.md
#pragma once

#include <functional>
#include <utility>

#include "bulk.h"
#include "pager.h"
#include "release_messages.h"

namespace krg::mm {

class Homes {
 public:
  // What is told that another node asks for a page, or has written it, before it is looked at.
  using OnUse = std::function<void(kddm::SetId set, Page page)>;
  Homes(Pager& pager, OnUse on_use) noexcept : pager_(pager), on_use_(std::move(on_use)) {}

  void join(rpc::Rpc& rpc);
  // Before a region of release consistency is made. Errors  those of Kddm::create()
  Co<Status> make_log(Deadline deadline);
  Co<void> forget(kddm::SetId set, Deadline deadline);
  // The answer of the node where the region's notices are.
  // Errors  those of Kddm::home_of() and of the call
  template <class Service>
  Co<Result<typename Service::Reply>> ask_keeper(kddm::SetId set, typename Service::Request request,
                                                 Deadline deadline) {
    KRG_CO_TRY_ASSIGN(const NodeId home, co_await of_notices(set, deadline));
    const rpc::CallOptions options{.deadline = deadline};
    co_return co_await rpc_->call<Service>(home, request, options);
  }

 private:
  Co<Result<NodeId>> of_notices(kddm::SetId set, Deadline deadline);
  Co<Result<FetchPages::Reply>> fetch(rpc::Incoming& in, FetchPages::Request request);
  Co<Result<ApplyDiffs::Reply>> apply(rpc::Incoming& in, ApplyDiffs::Request request);
  Co<Result<wire::Empty>> post(PostNotices::Request request);
  Co<Result<ReadNotices::Reply>> read(ReadNotices::Request request);
  // It has begun. Errors  those of Kddm::get() and grab(); never lost: then it is a new one
  Co<Result<kddm::Lease>> log_of(kddm::SetId set, bool write);
  Deadline soon() const noexcept;
  // A node that was never asked about the region has heard of it when it returns.
  // Errors  not_found; invalid_argument  it is not of release consistency; those of Kddm::get()
  Co<Status> learn(kddm::SetId set);

  Pager& pager_;
  const OnUse on_use_;
  rpc::Rpc* rpc_ = nullptr;
};

}  // namespace krg::mm
