#include "krg/epm/image.h"

#include <algorithm>
#include <set>

namespace krg::epm {
namespace {

constexpr std::uint64_t kUserEnd = std::uint64_t{1} << 47;
constexpr std::int32_t kFdMax = 1 << 20;
constexpr std::size_t kExtendedMax = 64 * 1024;

bool is_range(std::uint64_t begin, std::uint64_t end) {
  return begin % kPage == 0 && end % kPage == 0 && begin < end && end <= kUserEnd;
}

Status damaged(const char* what) { return Error(Errc::corrupt, what); }

Status check_mappings(const std::vector<MappingImage>& mappings) {
  std::uint64_t last = 0;
  for (const MappingImage& mapping : mappings) {
    if (!is_range(mapping.begin, mapping.end) || mapping.begin < last) {
      return damaged("the image's mappings overlap or are no pages");
    }
    if (mapping.kind > MappingImage::Kind::kernel || mapping.protection > 7) {
      return damaged("the image has a mapping of a kind that is not known");
    }
    last = mapping.begin;
    for (const auto& [begin, end] : mapping.present) {
      if (!is_range(begin, end) || begin < last || end > mapping.end) {
        return damaged("the image's pages are not those of their mapping");
      }
      last = end;
    }
    last = mapping.end;
  }
  return {};
}

}  // namespace

Status check(const Image& image) {
  KRG_TRY(check_mappings(image.mappings));
  if (image.threads.empty() || image.threads[0].tid != image.pid || image.pid < 1) {
    return damaged("the image has no leading thread");
  }
  std::set<std::int32_t> tids, fds;
  for (const ThreadImage& thread : image.threads) {
    if (thread.tid < 1 || !tids.insert(thread.tid).second) {
      return damaged("the image names a thread twice");
    }
    if (thread.extended.size() > kExtendedMax) return damaged("the image's registers are too many");
  }
  for (const FileImage& file : image.files) {
    if (file.fd < 0 || file.fd >= kFdMax || !fds.insert(file.fd).second) {
      return damaged("the image names a descriptor twice");
    }
    if (file.kind > FileImage::Kind::relay) return damaged("the image has a file of no known kind");
  }
  for (const ActionImage& action : image.actions) {
    if (action.signal < 1 || action.signal > 64) return damaged("the image has no such signal");
  }
  return {};
}

}  // namespace krg::epm
