// log/log.h: the log line.
//
// Model    error: someone must act; warn: we coped; info: once per cluster event; debug: per
//          object; trace: per message, compiled out of release. One lower-case line, "peer 3" and
//          not "peer=3". Lines go to stderr, or to the file that open() named, each with time,
//          level and who().
// Threads  safe.
// Blocks   as write(2) to the log's descriptor does.
// Source   krg-environment(7)
#pragma once

#include <fmt/core.h>

#include <string>
#include <string_view>

#include "krg/error/result.h"

namespace krg::log {

enum class Level { trace, debug, info, warn, error, off };

// "trace" ... "error", "off".
Result<Level> parse_level(std::string_view name) noexcept;

// Whether a line of `level` would be written. Cost: a load.
bool enabled(Level level) noexcept;
void set_level(Level level) noexcept;
// Who speaks, shown on every line: "krgd 3", "krgrun".
void set_who(std::string_view who);
// Writes to `path` (appending) instead of stderr.
// Errors  system_error  the file can not be opened; the log stays where it was.
Status open(const std::string& path);

void write(Level level, fmt::string_view format, fmt::format_args args) noexcept;

template <class... Args>
void line(Level level, fmt::format_string<Args...> format, const Args&... args) noexcept {
  if (enabled(level)) write(level, format, fmt::make_format_args(args...));
}

}  // namespace krg::log

#define KRG_ERROR(...) ::krg::log::line(::krg::log::Level::error, __VA_ARGS__)
#define KRG_WARN(...) ::krg::log::line(::krg::log::Level::warn, __VA_ARGS__)
#define KRG_INFO(...) ::krg::log::line(::krg::log::Level::info, __VA_ARGS__)
#define KRG_DEBUG(...) ::krg::log::line(::krg::log::Level::debug, __VA_ARGS__)
#ifdef NDEBUG
#define KRG_TRACE(...) \
  do {                 \
  } while (false)
#else
#define KRG_TRACE(...) ::krg::log::line(::krg::log::Level::trace, __VA_ARGS__)
#endif
