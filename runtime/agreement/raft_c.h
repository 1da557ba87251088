// libraft's header, which does not say that it is C.
#pragma once

extern "C" {
#include <raft.h>  // NOLINT
}
