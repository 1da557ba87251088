#include "pages.h"

#include <fcntl.h>
#include <sys/ioctl.h>

#include <cerrno>

#include "proc_files.h"
#include "tracee.h"

namespace krg::epm {
namespace {

// linux/fs.h of Linux 6.7, which is younger than the headers of Debian 12.
struct ScanArgument {
  std::uint64_t size, flags, start, end, walk_end, vec, vec_len, max_pages, category_inverted,
      category_mask, category_anyof_mask, return_mask;
};
struct PageRegion {
  std::uint64_t start, end, categories;
};
constexpr unsigned long kScan = _IOWR('f', 16, ScanArgument);
constexpr std::uint64_t kFile = 4, kPresent = 8, kSwapped = 16, kZero = 32;
constexpr std::size_t kRegions = 1024;

}  // namespace

Result<Pages> Pages::open(pid_t pid) {
  Pages pages;
  pages.pid_ = pid;
  pages.pagemap_.reset(::open(of(pid, "pagemap").c_str(), O_RDONLY | O_CLOEXEC));
  pages.memory_.reset(::open(of(pid, "mem").c_str(), O_RDONLY | O_CLOEXEC));
  if (!pages.pagemap_ || !pages.memory_) {
    return errno_error(Errc::denied, "the process's pages may not be read");
  }
  return pages;
}

Status Pages::scan(std::vector<MappingImage>& mappings) const {
  for (MappingImage& mapping : mappings) {
    const bool travels = mapping.kind == MappingImage::Kind::anonymous ||
                         (mapping.kind == MappingImage::Kind::file && !mapping.shared);
    if (travels) KRG_TRY(scan_one(mapping));
  }
  return {};
}

Status Pages::scan_one(MappingImage& mapping) const {
  std::vector<PageRegion> regions(kRegions);
  for (std::uint64_t at = mapping.begin; at < mapping.end;) {
    ScanArgument scan{};
    scan.size = sizeof scan;
    scan.start = at;
    scan.end = mapping.end;
    scan.vec = reinterpret_cast<std::uint64_t>(regions.data());
    scan.vec_len = regions.size();
    scan.category_mask = scan.category_inverted = kFile | kZero;
    scan.category_anyof_mask = kPresent | kSwapped;
    scan.return_mask = kPresent;
    const int found = ioctl(pagemap_.get(), kScan, &scan);
    if (found < 0) {
      return errno_error(errno == ENOTTY ? Errc::not_supported : Errc::system_error,
                         "finding the process's pages (PAGEMAP_SCAN)");
    }
    for (int i = 0; i < found; ++i) {
      const PageRegion& region = regions[static_cast<std::size_t>(i)];
      std::vector<Range>& present = mapping.present;
      if (!present.empty() && present.back().second == region.start) {
        present.back().second = region.end;
      } else {
        present.emplace_back(region.start, region.end);
      }
    }
    if (scan.walk_end <= at) break;
    at = scan.walk_end;
  }
  return {};
}

std::uint64_t Pages::read(std::uint64_t from, std::uint64_t count, std::byte* to) const {
  if (read_memory(pid_, from, to, count * kPage)) return count;
  std::uint64_t done = 0;
  while (done < count && pread(memory_.get(), to + done * kPage, kPage,
                               static_cast<off_t>(from + done * kPage)) == kPage) {
    ++done;
  }
  return done;
}

}  // namespace krg::epm
