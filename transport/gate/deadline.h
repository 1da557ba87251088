// Timeouts as they travel: nanoseconds from now, all ones for "never".
#pragma once

#include <algorithm>
#include <cstdint>

#include "krg/base/deadline.h"
#include "krg/gate/frame.h"

namespace krg::gate {

// `nanoseconds` is an outside value: any is taken, far ones mean never.
inline Deadline deadline_in(TimePoint now, std::uint64_t nanoseconds) noexcept {
  const auto left = static_cast<std::uint64_t>((Duration::max() - now.since_origin).count());
  if (nanoseconds >= left) return Deadline::never();
  return Deadline(now + Duration(static_cast<std::int64_t>(nanoseconds)));
}

inline std::uint64_t timeout_until(TimePoint now, Deadline deadline) noexcept {
  if (deadline.is_never()) return kNoTimeout;
  return static_cast<std::uint64_t>(std::max(deadline.at() - now, Duration::zero()).count());
}

}  // namespace krg::gate
