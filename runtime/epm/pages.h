// pages.h: which pages of a process have content of their own, and that content.
//
// Model    a page of memory without a file is present or swapped out, or it is all zero; of a
//          private file mapping only those that were written to are the process's own.
// Threads  owned by one thread.
// Blocks   60 ns a page for the scan, 0.4 us a page for reading (2-core machine, 2026-11).
// Source   Linux Documentation/admin-guide/mm/pagemap.rst, PAGEMAP_SCAN; facts: process_vm_readv(2)
//          refuses PROT_NONE pages that have content, /proc/pid/mem reads them
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <vector>

#include "krg/base/unique_fd.h"
#include "krg/epm/image.h"

namespace krg::epm {

class Pages {
 public:
  // Errors  denied, not_supported (the kernel has no PAGEMAP_SCAN: Linux 6.7)
  static Result<Pages> open(pid_t pid);

  // Fills in `present` of what travels: all but the kernel's mappings and shared files.
  Status scan(std::vector<MappingImage>& mappings) const;
  // As many whole pages from `from` on as can be read, at most `count`.
  std::uint64_t read(std::uint64_t from, std::uint64_t count, std::byte* to) const;

 private:
  Status scan_one(MappingImage& mapping) const;

  pid_t pid_ = 0;
  UniqueFd pagemap_;
  UniqueFd memory_;
};

}  // namespace krg::epm
