// safe.h: what this node's tasks have written of a region becomes safe from the loss of a node.
//
// Model    of a region of several copies the node keeps a list of the pages that it may have
//          written since they were last safe. A sync goes through that list: each page has as many
//          copies then as the region wants, and who writes it again makes it unsafe.
// Threads  owned by the reactor's thread.
// Blocks   never; it suspends.
// Source   docs/design/mm.md, "Copies"
#pragma once

#include <vector>

#include "krg/gate/server.h"
#include "krg/mm_calls/calls.h"
#include "krg/reactor/event.h"
#include "pager.h"

namespace krg::mm {

class Safe {
 public:
  explicit Safe(Pager& pager) noexcept : pager_(pager) {}
  Safe(const Safe&) = delete;
  Safe& operator=(const Safe&) = delete;

  void serve(gate::Server& gate);

 private:
  // Of pages that are dealt with side by side.
  struct Round {
    explicit Round(reactor::Reactor& reactor) noexcept : group(reactor) {}
    reactor::WaitGroup group;
    Status how;
    std::vector<Page> left;
  };

  Co<Result<wire::Empty>> sync(gate::Call& call, calls::Sync::Request request);
  Co<void> sync_one(kddm::SetId set, Page page, Deadline deadline, Round& round);

  Pager& pager_;
};

}  // namespace krg::mm
