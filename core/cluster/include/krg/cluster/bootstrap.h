// cluster/bootstrap.h: how a krgd learns who it is and reaches the others for the first time.
//
// Model    two steps: who am I among how many; then all put down their Member and get the first
// View, the
//          same everywhere. PMIx, a static list of hosts and the launcher's own tree implement it.
// Threads  the reactor's thread.
// Blocks   never; both suspend.
// Source   docs/design/launch.md
#pragma once

#include <cstdint>
#include <string>

#include "krg/base/deadline.h"
#include "krg/cluster/view.h"
#include "krg/error/result.h"
#include "krg/reactor/co.h"

namespace krg::cluster {

struct Identity {
  NodeId self;
  std::uint32_t count = 0;  // Nodes that take part; self.value < count.
  std::string cluster;      // Its name.
};

class Bootstrap {
 public:
  virtual ~Bootstrap() = default;
  // Errors  timed_out, unreachable, auth_failed
  virtual Co<Result<Identity>> identify(Deadline deadline) = 0;
  // Gives `self` to all, and the first view to self. To be called once, after identify().
  // Errors  timed_out  some node has not called it in time; the log names it.
  virtual Co<Result<View>> exchange(Member self, Deadline deadline) = 0;
};

}  // namespace krg::cluster
