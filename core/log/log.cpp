#include "krg/log/log.h"

#include <fmt/format.h>
#include <spdlog/logger.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>

#include <array>
#include <atomic>
#include <exception>
#include <memory>
#include <mutex>

namespace krg::log {
namespace {

constexpr std::array<std::string_view, 6> kNames = {"trace", "debug", "info",
                                                    "warn",  "error", "off"};

std::atomic<Level> threshold{Level::warn};

// The one log of the process: the sink may be swapped while others write.
struct Log {
  std::mutex mutex;
  std::string who = "krg";
  std::shared_ptr<spdlog::sinks::sink> sink = std::make_shared<spdlog::sinks::stderr_sink_mt>();
  spdlog::logger logger{"krg", sink};

  void apply() {
    logger.sinks() = {sink};
    logger.set_level(spdlog::level::trace);
    logger.set_formatter(
        std::make_unique<spdlog::pattern_formatter>("%H:%M:%S.%f " + who + " %l: %v"));
    logger.flush_on(spdlog::level::trace);
  }
  Log() { apply(); }
};

Log& the_log() {
  static Log* log = new Log;  // Never destroyed: the last line may come from another destructor.
  return *log;
}

spdlog::level::level_enum to_spdlog(Level level) {
  return static_cast<spdlog::level::level_enum>(level == Level::off ? 6 : static_cast<int>(level));
}

}  // namespace

Result<Level> parse_level(std::string_view name) noexcept {
  for (std::size_t i = 0; i < kNames.size(); ++i) {
    if (kNames[i] == name) return static_cast<Level>(i);
  }
  return Error(Errc::invalid_argument, "log level: want trace, debug, info, warn, error or off");
}

bool enabled(Level level) noexcept {
  return level >= threshold.load(std::memory_order_relaxed) && level != Level::off;
}

void set_level(Level level) noexcept { threshold.store(level); }

void set_who(std::string_view who) {
  Log& log = the_log();
  const std::lock_guard lock(log.mutex);
  log.who = who;
  log.apply();
}

Status open(const std::string& path) {
  Log& log = the_log();
  const std::lock_guard lock(log.mutex);
  try {
    log.sink = std::make_shared<spdlog::sinks::basic_file_sink_mt>(path);
  } catch (const std::exception&) {
    return errno_error(Errc::system_error, "opening the log file");
  }
  log.apply();
  return {};
}

void write(Level level, fmt::string_view format, fmt::format_args args) noexcept {
  try {
    fmt::memory_buffer line;
    fmt::vformat_to(std::back_inserter(line), format, args);
    Log& log = the_log();
    const std::lock_guard lock(log.mutex);
    log.logger.log(to_spdlog(level), std::string_view(line.data(), line.size()));
  } catch (const std::exception&) {
    // A line that can not be formatted or written must not end the process.
  }
}

}  // namespace krg::log
