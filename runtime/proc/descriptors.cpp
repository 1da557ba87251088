#include "krg/proc/descriptors.h"

#include <fcntl.h>
#include <sys/resource.h>

#include <algorithm>

#include "krg/base/unique_fd.h"

namespace krg::proc {

void make_room_for_descriptors(int count) noexcept {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  const auto last = std::min<rlim_t>(static_cast<rlim_t>(count), limit.rlim_cur) - 1;
  const UniqueFd any(open("/dev/null", O_RDONLY | O_CLOEXEC));
  const UniqueFd high(fcntl(any.get(), F_DUPFD_CLOEXEC, static_cast<int>(last)));
}

}  // namespace krg::proc
