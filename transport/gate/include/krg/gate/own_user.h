// gate/own_user.h: what only tasks of krgd's own user may ask for.
//
// Model    memory that all tasks of a node map and write: whoever has it can harm all who use it.
// Threads  the reactor's.
// Blocks   never.
// Source   docs/design/gate.md, "Control socket"
#pragma once

#include <unistd.h>

#include "krg/gate/call.h"

namespace krg::gate {

// `why`: what is for them, said to others; a literal.
// Errors  denied  the caller is of another user
inline Status check_own_user(const Call& call, const char* why) {
  if (call.caller().uid == ::geteuid()) return {};
  return Error(Errc::denied, why);
}

}  // namespace krg::gate
