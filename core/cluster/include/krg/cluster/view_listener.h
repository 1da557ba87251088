// cluster/view_listener.h: what a module does when the view changes. One of the five interfaces
// that point upwards.
//
// Model    a change is a barrier for every service: all prepare (top down when nodes go, bottom up
// when they
//          come), then all commit in the same order. Between the two no service starts work that
//          needs a node that goes.
// Threads  the reactor's thread.
// Blocks   never; prepare() suspends.
// Source   Kerrighed hotplug notifiers; docs/design/layers.md
#pragma once

#include "krg/base/deadline.h"
#include "krg/cluster/view.h"
#include "krg/error/result.h"
#include "krg/reactor/co.h"

namespace krg::cluster {

class ViewListener {
 public:
  virtual ~ViewListener() = default;
  // For logs: "kddm", "proc".
  virtual const char* name() const noexcept = 0;
  // Brings the module to where the new view can hold: drains what leaves, gives up what failed.
  // `change` is valid until the coroutine ends. Must be safe to repeat: a change may be replaced by
  // a further one. Errors  timed_out and others  the change does not happen now; the caller decides
  // what next.
  virtual Co<Status> prepare(const ViewChange& change, Deadline deadline) = 0;
  // `change`, which this listener had prepared, will not happen: others could not prepare. If its
  // prepare() was still under way, that coroutine has been destroyed just before.
  virtual void abort(const ViewChange& change) noexcept { static_cast<void>(change); }
  // The view is the new one.
  virtual void commit(const ViewChange& change) noexcept = 0;
};

}  // namespace krg::cluster
