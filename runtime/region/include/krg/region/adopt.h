// region/adopt.h: a program's own segments, to be made a region by Region::adopt().
//
// Model    threads of one program on several nodes use the same variables only if these lie in
//          a region: one task adopts its own, the others attach that region over theirs
//          (RegionOptions::replace).
// Threads  safe.
// Blocks   never.
// Source   docs/design/mm.md, "What carries threads"; dl_iterate_phdr(3)
#pragma once

#include <cstddef>
#include <span>

namespace krg {

// The program's .data and .bss in whole pages, without those of its shared libraries, and without
// what the linker has made read-only; empty if there is none. All tasks that are to share it need
// it at the same address: no randomisation of addresses (`setarch -R`), and libkrg as a shared
// library, whose own state has to stay the process's own.
std::span<std::byte> program_data() noexcept;

}  // namespace krg
