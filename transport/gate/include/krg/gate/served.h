// gate/served.h: what one service of the gate has done, in the registry of its krgd.
//
// Model    calls through lanes and over the socket count alike. Bytes are those of requests and
//          replies; items of streams are not counted. One call in eight is timed, from the moment
//          it was found to its answer; the first always.
// Threads  the reactor's thread; others may read.
// Blocks   never, but the first sampled time of a service, which takes the registry's lock once.
// Source   docs/design/gate.md, "Serving"
#pragma once

#include <cstdint>
#include <string>

#include "krg/stats/registry.h"

namespace krg::gate {

class Served {
 public:
  // Registers the counters of "gate.NAME".
  // Requires  `registry` outlives this.
  Served(stats::Registry& registry, const char* name);

  // A request has come; gives what answered() wants, 0 if this call is not timed.
  std::uint64_t begun(std::size_t request_bytes) noexcept;
  void answered(std::uint64_t begun, std::size_t reply_bytes);
  void failed() noexcept { counters_[kFailed].add(); }

 private:
  enum Index { kCount, kFailed, kIn, kOut };

  stats::Registry& registry_;
  const std::string name_;
  stats::Counter* const counters_;
  stats::Histogram* latency_ = nullptr;  // Made by the first sample.
};

}  // namespace krg::gate
