// region/spans.h: which addresses of this process are regions whose pages the kernel can not wait
// for.
//
// Model    where userfaultfd serves only the process's own loads and stores, a system call that
//          touches a page which is not mapped ends with EFAULT. Who makes such calls asks here
//          first. Regions of a process whose kernel waits are not among these.
// Threads  safe; overlapping() also in signal handlers.
// Blocks   never.
// Source   docs/design/mm.md, "System calls"; ioctl_userfaultfd(2), UFFD_USER_MODE_ONLY
#pragma once

#include <cstddef>
#include <cstdint>

namespace krg {

enum class Span : std::uint8_t { none, read_only, read_write };

// Whether any byte of `bytes` bytes from `at` on is in such a region, and may be written if that is
// up to how it was attached. Cost: nothing if there is none; else some ns for each of them.
Span overlapping(const void* at, std::size_t bytes) noexcept;

// --- For regions
void add_span(std::uintptr_t begin, std::size_t bytes, Span kind);
void remove_span(std::uintptr_t begin) noexcept;

}  // namespace krg
