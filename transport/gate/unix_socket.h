// Unix sockets with a path: who may come in, and who is there.
#pragma once

#include <string>

#include "krg/base/unique_fd.h"
#include "krg/error/result.h"
#include "krg/gate/call.h"

namespace krg::gate {

// A listening socket of mode 0600 in a directory of mode 0700 that is ours; a dead server's is
// replaced.
Result<UniqueFd> listen_at(const std::string& path);

// A connecting socket: connected at once, as unix sockets are.
// Errors  not_found, unreachable (nobody listens), would_block (its queue is full), denied,
//         too_large
Result<UniqueFd> connect_to(const std::string& path);

// What the kernel says of the other end; `session` is left alone.
Result<Caller> peer_of(int fd);

}  // namespace krg::gate
