// UCX's own lines, in krg's log.
#include <ucs/debug/log_def.h>

#include <array>
#include <cstdarg>
#include <cstdio>

#include "krg/config/environment.h"
#include "krg/log/log.h"
#include "krg/ucx/ucx.h"

namespace krg::ucx {
namespace {

// Errors come back to us as a status, too, and whoever asked is told; a peer that ends while it is
// connected to is one. So they are no more than information. What ends the process stays UCX's.
ucs_log_func_rc_t write(const char*, unsigned, const char*, ucs_log_level_t level,
                        const ucs_log_component_config_t*, const char* format, va_list arguments) {
  if (level != UCS_LOG_LEVEL_ERROR && level != UCS_LOG_LEVEL_WARN) return UCS_LOG_FUNC_RC_CONTINUE;
  if (!log::enabled(log::Level::info)) return UCS_LOG_FUNC_RC_STOP;
  std::array<char, 512> text;
  va_list again;
  va_copy(again, arguments);
  std::vsnprintf(text.data(), text.size(), format, again);
  va_end(again);
  KRG_INFO("ucx says: {}", text.data());
  return UCS_LOG_FUNC_RC_STOP;
}

}  // namespace

void take_messages() noexcept {
  static const bool taken = [] {
    // Whoever sets this wants to see them as UCX writes them.
    if (config::Environment::of_process().get("UCX_LOG_LEVEL")) return false;
    ucs_log_push_handler(write);
    return true;
  }();
  (void)taken;
}

}  // namespace krg::ucx
