// bulk.h: many pages at a time, as tasks ask for them by name rather than by faults.
//
// Model    pages are brought by a range of KDDM, opened on this node, and mapped in runs where a
//          task has asked for them. All of it is advice to the protocol: no contents change.
// Threads  owned by the reactor's thread.
// Blocks   never; it suspends, until the deadline.
// Source   docs/design/mm.md, "Bulk operations"
#pragma once

#include <functional>
#include <vector>

#include "krg/gate/server.h"
#include "krg/rpc/rpc.h"
#include "pager.h"

namespace krg::mm {

// How this node reaches the others, itself among them.
struct Peers {
  rpc::Rpc* rpc = nullptr;
  std::function<std::vector<NodeId>()> all;
};

class Bulk {
 public:
  struct Wanted {
    kddm::SetId set;
    Page first;
    std::uint64_t count = 0;
    bool write = false;
    Seat seat = kNobody;  // Where they are mapped; kNobody: nowhere.
  };

  Bulk(Pager& pager, Releases& releases) noexcept : pager_(pager), releases_(releases) {}

  // Errors  not_found  no such region; invalid_argument  not all of the pages are its
  Result<Region*> check(kddm::SetId set, std::uint64_t first, std::uint64_t count);
  // Errors  of the first page that could not be brought; the others are
  Co<Status> fetch(Wanted wanted, Deadline deadline);

  void serve(gate::Server& gate);
  void join(const Peers& peers);

 private:
  Co<Result<wire::Empty>> bring(gate::Call& call, calls::Bring::Request request);
  Co<Result<wire::Empty>> give_up(gate::Call& call, calls::GiveUp::Request request);
  Co<Result<wire::Empty>> spread(gate::Call& call, calls::Spread::Request request);
  // What others have asked to be spread.
  Co<Result<wire::Empty>> take(calls::PageRange pages);
  // Of pages none of which is pinned here.
  Co<Status> fetch_run(Wanted wanted, Deadline deadline);
  Co<void> fetch_later(Wanted wanted, Deadline deadline);

  // Of a region that is not sequential.
  Co<Status> fetch_copies(Wanted wanted, Deadline deadline);

  Pager& pager_;
  Releases& releases_;
  Peers peers_;
};

}  // namespace krg::mm
