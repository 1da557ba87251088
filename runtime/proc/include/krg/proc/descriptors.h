// proc/descriptors.h: room for a process's descriptors, made before it has threads.
//
// Model    the kernel's table of descriptors grows by powers of two; in a process with threads each
//          growth waits for an RCU grace period, 10 to 25 ms on a 2-core virtual machine
//          (2026-11-25): as long as starting 64 tasks takes.
// Threads  call it while there is one.
// Blocks   never.
// Source   Linux fs/file.c, expand_fdtable()
#pragma once

namespace krg::proc {

// Makes the table large enough for descriptors 0 ... count - 1, or as many as the limit allows.
void make_room_for_descriptors(int count) noexcept;

}  // namespace krg::proc
