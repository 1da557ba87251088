#include "krg/mm/stream.h"

#include <algorithm>

namespace krg::mm {

std::uint64_t Stream::on_fault(Page page, bool write) noexcept {
  if (page.value == next_ && write == write_) {
    window_ = std::min(window_ * 2, write ? kWriteMost : kReadMost);
  } else {
    window_ = 1;
    ahead_ = page.value + 1;
    write_ = write;
  }
  return window_;
}

Stretch Stream::on_mapped(Page page, std::uint64_t count, std::uint64_t pages) noexcept {
  next_ = page.value + count;
  // Two pages one after the other are no stream yet.
  if (window_ < 4) return {};
  const std::uint64_t first = std::max(ahead_, page.value + 1);
  const std::uint64_t end = std::min(next_ + window_, pages);
  if (end <= first || (end - first < window_ / 2 && end != pages)) return {};
  ahead_ = end;
  return {Page{first}, end - first};
}

}  // namespace krg::mm
