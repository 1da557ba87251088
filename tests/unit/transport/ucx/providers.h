// The ways in which these tests open UCX.
#pragma once

#include "krg/testing/stage.h"

namespace krg::testing {

// Puts this process into a name space of its own; with root's rights in it for whoever is not root.
bool leave_space(int clone_flag);

// Node 2, which must be a remote one, lives in an IPC name space of its own.
ProviderUnderTest other_ipc_provider();

}  // namespace krg::testing
