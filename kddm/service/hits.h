// hits.h: leases of what is here, without a step of the protocol.
//
// What the rules lease_read, lease_write, end_read and end_write do to a holder while nothing waits
// in its part. Nearly all leases of a busy node are such. A test compares every state with step().
#pragma once

#include "krg/protocol/part.h"

namespace krg::kddm {

// False: the protocol has to look at it; nothing has changed.
inline bool begin_hit(Holder& holder, bool write) noexcept {
  if (holder.writer || holder.contended) return false;
  if (!write) {
    if (holder.copy != Copy::read && holder.copy != Copy::write) return false;
    ++holder.readers;
    return true;
  }
  if (holder.copy != Copy::write || holder.readers > 0) return false;
  holder.writer = true;
  return true;
}

// The same. Requires  nothing waits.
inline bool end_hit(Holder& holder, bool write) noexcept {
  if (holder.copy != Copy::write && (write || holder.copy != Copy::read)) return false;
  if (write ? !holder.writer : holder.readers == 0) return false;
  if (write) {
    holder.writer = false;
    ++holder.version;
  } else {
    --holder.readers;
  }
  holder.contended = false;
  return true;
}

}  // namespace krg::kddm
