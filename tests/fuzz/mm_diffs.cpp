// Goal    no bytes that another node says are diffs, or a log of notices, harm krgd; and what is
//         taken for diffs changes no page but by its own bytes.
// Method  the first byte chooses: diffs, which are applied; a log, which is read and written; or
//         two pages, whose diff must make one of the other.
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

#include "krg/base/assert.h"
#include "krg/mm/diff.h"
#include "krg/mm/notices.h"

namespace krg::mm {
namespace {

using Content = std::array<std::byte, kPageBytes>;

void fuzz_diffs(std::span<const std::byte> bytes) {
  Diffs diffs(bytes);
  if (!diffs.is_right()) return;
  Content page{};
  Diffs::One one;
  std::size_t taken = 0;
  while (diffs.next(one)) {
    taken += one.runs.size() + 16;
    Diffs::apply(one, page);
    const Content before = page;
    Diffs::apply(one, page);
    KRG_ASSERT(page == before);
  }
  KRG_ASSERT(taken == bytes.size());
}

void fuzz_notices(std::span<const std::byte> bytes) {
  std::vector<std::uint64_t> words(Notices::kBytes / sizeof(std::uint64_t));
  const auto log = std::as_writable_bytes(std::span(words));
  std::memcpy(log.data(), bytes.data(), std::min(bytes.size(), log.size()));
  const std::array<Stretch, 3> runs{Stretch{Page{1}, 2}, Stretch{Page{7}, 1}, Stretch{Page{3}, 1}};
  const Heard heard{words[0], words[1] / 2};
  static_cast<void>(Notices(log).since(NodeId{1}, heard));
  const std::uint64_t now = NoticesWriter(log).append(NodeId{2}, runs);
  const News news = Notices(log).since(NodeId{1}, {words[0], now - 1});
  KRG_ASSERT(news.all || !news.runs.empty());
}

void fuzz_pages(std::span<const std::byte> bytes) {
  Content twin{}, now{};
  const std::size_t half = std::min(bytes.size() / 2, kPageBytes);
  std::memcpy(twin.data(), bytes.data(), half);
  std::memcpy(now.data(), bytes.data() + bytes.size() / 2, half);
  std::vector<std::byte> out;
  const bool differ = append_diff(Page{3}, twin, now, out);
  KRG_ASSERT(differ == (twin != now));
  Diffs diffs(out);
  KRG_ASSERT(diffs.is_right());
  Diffs::One one;
  while (diffs.next(one)) Diffs::apply(one, twin);
  KRG_ASSERT(twin == now);
}

}  // namespace
}  // namespace krg::mm

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const auto bytes = std::as_bytes(std::span(data + 1, size - 1));
  if (data[0] % 3 == 0) krg::mm::fuzz_diffs(bytes);
  if (data[0] % 3 == 1) krg::mm::fuzz_notices(bytes);
  if (data[0] % 3 == 2) krg::mm::fuzz_pages(bytes);
  return 0;
}
