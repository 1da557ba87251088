#include <dlfcn.h>
#include <ucs/type/status.h>

#include <csignal>

#include "krg/ucx/ucx.h"

namespace krg::ucx {
namespace {

// Where a library is loaded, by an address within it.
const void* base_of(const void* address) noexcept {
  Dl_info info{};
  return dladdr(address, &info) != 0 ? info.dli_fbase : nullptr;
}

const void* handler_of(const struct sigaction& action) noexcept {
  return (action.sa_flags & SA_SIGINFO) != 0 ? reinterpret_cast<const void*>(action.sa_sigaction)
                                             : reinterpret_cast<const void*>(action.sa_handler);
}

}  // namespace

int remove_signal_handlers() noexcept {
  const void* ucs = base_of(reinterpret_cast<const void*>(&ucs_status_string));
  int removed = 0;
  for (int signal = 1; signal < NSIG; ++signal) {
    struct sigaction action {};
    if (sigaction(signal, nullptr, &action) != 0) continue;
    if (action.sa_handler == SIG_DFL || action.sa_handler == SIG_IGN) continue;
    if (base_of(handler_of(action)) != ucs) continue;
    action = {};
    action.sa_handler = SIG_DFL;
    removed += sigaction(signal, &action, nullptr) == 0 ? 1 : 0;
  }
  return removed;
}

}  // namespace krg::ucx
