// Descriptors beside the bytes of a unix socket.
#pragma once

#include <sys/socket.h>

#include <array>
#include <deque>
#include <vector>

#include "krg/base/unique_fd.h"
#include "krg/gate/frame.h"

namespace krg::gate {

union FdControl {
  cmsghdr align;
  std::array<char, CMSG_SPACE(sizeof(int) * kFdsMax)> bytes;
};

// Takes the descriptors out of a received message; false if some were cut off.
bool collect_fds(msghdr& message, std::deque<UniqueFd>& into);

// Requires  at most kFdsMax descriptors; `control` outlives the sending of `message`.
void attach_fds(msghdr& message, FdControl& control, const std::vector<UniqueFd>& fds);

}  // namespace krg::gate
