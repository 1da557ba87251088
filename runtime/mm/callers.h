// callers.h: who may ask krgd what about regions.
//
// Model    two checks, the same for all calls.
// Threads  owned by the reactor's thread.
// Blocks   never.
// Source   docs/design/mm.md, "Tasks"
#pragma once

#include "krg/gate/own_user.h"
#include "region.h"

namespace krg::mm {

// The memory can be written by whoever maps it. Errors  denied
inline Status check_caller(const gate::Call& call) {
  return gate::check_own_user(call, "regions are for tasks of krgd's own user");
}

// Errors  denied
inline Status check_attached(const gate::Call& call, const Region& region) {
  if (region.has_task(call.caller().pid)) return {};
  return Error(Errc::denied, "this process has not attached the region");
}

}  // namespace krg::mm
