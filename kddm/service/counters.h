// counters.h: what a Kddm has done, for statistics.
//
// Model    counters of one registry, side by side.
// Threads  counted by the reactor's thread.
// Blocks   never.
// Source   docs/design/kddm.md, "Service"
#pragma once

#include "krg/stats/registry.h"

namespace krg::kddm {

struct Counters {
  explicit Counters(stats::Registry* registry);

  stats::Counter* gets = nullptr;
  stats::Counter* grabs = nullptr;
  stats::Counter* hits = nullptr;  // Gets and grabs that this node could serve by itself.
  stats::Counter* first_touches = nullptr;
  stats::Counter* removes = nullptr;
  stats::Counter* flushes = nullptr;
  stats::Counter* syncs = nullptr;
  stats::Counter* sent = nullptr;
  stats::Counter* received = nullptr;
  stats::Counter* data_bytes_sent = nullptr;
  stats::Counter* invalidated = nullptr;
  stats::Counter* evicted = nullptr;  // Read copies given up for want of room.
  stats::Counter* moved = nullptr;    // Last copies sent to a node with room.
  stats::Counter* written_back = nullptr;
  stats::Counter* lost = nullptr;
  stats::Counter* views = nullptr;
  stats::Counter* refused = nullptr;     // Messages that were malformed.
  stats::Counter* impossible = nullptr;  // Inputs without a rule: a bug here or at a peer.

 private:
  std::unique_ptr<stats::Registry> own_;
};

}  // namespace krg::kddm
