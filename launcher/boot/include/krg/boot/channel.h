// boot/channel.h: how a krgd gets its first words.
//
// Model    Init is read from standard input before the process is anything: no thread, no reactor.
// Threads  one.
// Blocks   until Init is complete or `patience` is over.
// Source   docs/design/launch.md, "Starting krgd"
#pragma once

#include <chrono>

#include "krg/boot/protocol.h"
#include "krg/error/result.h"

namespace krg::boot {

// Errors  timed_out; end_of_stream  closed before anything came; version_mismatch; protocol_error.
Result<Init> read_init(int fd, std::chrono::milliseconds patience);

}  // namespace krg::boot
