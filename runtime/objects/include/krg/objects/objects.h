// objects/objects.h: the shared objects of a krgd: its Kddm, and the way of its tasks to it.
//
// Model    the Kddm serves from the beginning; the memory that tasks share is made when the first
//          task attaches, since most krgds have none that does.
// Threads  the reactor's thread.
// Blocks   never.
// Source   docs/design/kddm.md, "Tasks"
#pragma once

#include <functional>
#include <memory>

#include "krg/access/access.h"
#include "krg/gate/server.h"
#include "krg/kddm/kddm.h"
#include "krg/linkers/file_linker.h"
#include "krg/reactor/reactor.h"
#include "krg/rpc/rpc.h"

namespace krg::objects {

class Objects final : private reactor::Timer {
 public:
  struct Options {
    // As kddm::KddmOptions.
    NodeId self;
    std::function<Status()> serving;
    stats::Registry* stats = nullptr;
    // Until when tasks may use what their node has without asking; may be put off meanwhile.
    std::function<TimePoint()> lease_until;
    // Of this node's copies, wherever they lie, as allocated; 0: default_budget().
    std::uint64_t limit_bytes = 0;
  };

  Objects(rpc::Rpc& rpc, Options options);
  Objects(const Objects&) = delete;
  Objects& operator=(const Objects&) = delete;
  // Requires  the reactor's coroutines have been cancelled.
  ~Objects();

  kddm::Kddm& kddm() noexcept { return kddm_; }
  const kddm::Kddm& kddm() const noexcept { return kddm_; }
  // Lets the tasks of `gate` in. Requires  once; the gate's sessions end before this does.
  void open(gate::Server& gate);
  // Requires  open() was called.
  const kddm::TaskAccess& access() const noexcept { return *access_; }

 private:
  Result<kddm::NodeStore*> make_store();
  // Hands the node's lease on to the tasks.
  void on_timer() noexcept override;

  const Options options_;
  reactor::Reactor& reactor_;
  std::unique_ptr<kddm::NodeStore> store_;  // Outlives the Kddm, whose copies lie in it.
  kddm::IoThread io_;
  kddm::FileLinker files_;  // As `io_`, it outlives the Kddm.
  kddm::Kddm kddm_;
  std::unique_ptr<kddm::TaskAccess> access_;
};

}  // namespace krg::objects
