#include "cpus.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <string_view>

#include "krg/base/unique_fd.h"

namespace krg::reactor {

bool cpus_suffice() noexcept {
  const UniqueFd loadavg(::open("/proc/loadavg", O_RDONLY | O_CLOEXEC));
  std::array<char, 128> text;
  const ssize_t size = ::read(loadavg.get(), text.data(), text.size());
  if (size <= 0) return false;
  // Three averages, then "running/all".
  std::string_view rest(text.data(), static_cast<std::size_t>(size));
  for (int skipped = 0; skipped < 3; ++skipped) {
    const std::size_t space = rest.find(' ');
    if (space == std::string_view::npos) return false;
    rest.remove_prefix(space + 1);
  }
  long running = 0;
  const auto parsed = std::from_chars(rest.data(), rest.data() + rest.size(), running);
  return parsed.ec == std::errc() && running <= ::sysconf(_SC_NPROCESSORS_ONLN);
}

}  // namespace krg::reactor
