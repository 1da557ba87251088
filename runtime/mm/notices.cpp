#include "krg/mm/notices.h"

#include <algorithm>

#include "krg/base/assert.h"

namespace krg::mm {
namespace {

constexpr std::uint64_t kHalf = 32;
constexpr std::uint64_t kLow = 0xffffffff;

// Regions have at most 2^28 pages.
std::uint64_t pack(const Stretch& run) noexcept { return run.first.value << kHalf | run.count; }
Stretch unpack(std::uint64_t word) noexcept { return {Page{word >> kHalf}, word & kLow}; }

// Places that a log can have come to.
bool is_ring(std::uint64_t tail, std::uint64_t head, std::uint64_t room) noexcept {
  return tail <= head && head - tail <= room && head < std::uint64_t{1} << 63;
}

}  // namespace

void unite(std::vector<Stretch>& runs) {
  std::sort(runs.begin(), runs.end(),
            [](const Stretch& a, const Stretch& b) { return a.first.value < b.first.value; });
  std::size_t kept = 0;
  for (const Stretch& run : runs) {
    const std::uint64_t end = run.first.value + run.count;
    if (kept > 0) {
      Stretch& last = runs[kept - 1];
      if (run.first.value <= last.first.value + last.count) {
        last.count = std::max(last.first.value + last.count, end) - last.first.value;
        continue;
      }
    }
    runs[kept++] = run;
  }
  runs.resize(kept);
}

Notices::Notices(std::span<const std::byte> bytes) noexcept
    : words_(reinterpret_cast<const std::uint64_t*>(bytes.data()), kWords) {
  KRG_ASSERT(bytes.size() == kBytes);
}

NoticesWriter::NoticesWriter(std::span<std::byte> bytes) noexcept
    : words_(reinterpret_cast<std::uint64_t*>(bytes.data()), Notices::kWords) {
  KRG_ASSERT(bytes.size() == Notices::kBytes);
}

void NoticesWriter::begin(std::uint64_t epoch) noexcept {
  std::fill(words_.begin(), words_.begin() + Notices::kRing, 0);
  words_[Notices::kEpoch] = epoch;
}

void NoticesWriter::forget_oldest() noexcept {
  const std::uint64_t tail = words_[Notices::kTail];
  const std::uint64_t next = tail + Notices::kAround + (at(tail + 1) & kLow);
  // It was another node's: of what is not a log nothing is kept.
  const bool wrong = next > words_[Notices::kHead];
  words_[Notices::kForgotten] = wrong ? words_[Notices::kNow] : at(tail);
  words_[Notices::kTail] = wrong ? words_[Notices::kHead] : next;
}

std::uint64_t NoticesWriter::append(NodeId node, std::span<const Stretch> runs) noexcept {
  const std::uint64_t number = ++words_[Notices::kNow];
  const std::uint64_t length = Notices::kAround + runs.size();
  if (length > Notices::kRoom) {
    // More than a log of any size that is worth it: everything may have changed.
    words_[Notices::kForgotten] = number;
    words_[Notices::kTail] = words_[Notices::kHead];
    return number;
  }
  if (!is_ring(words_[Notices::kTail], words_[Notices::kHead], Notices::kRoom)) {
    // It was another node's: of what is not a log nothing is kept.
    words_[Notices::kForgotten] = number - 1;
    words_[Notices::kTail] = words_[Notices::kHead] = 0;
  }
  while (words_[Notices::kHead] + length - words_[Notices::kTail] > Notices::kRoom) forget_oldest();
  std::uint64_t place = words_[Notices::kHead];
  at(place++) = number;
  at(place++) = std::uint64_t{node.value} << kHalf | runs.size();
  for (const Stretch& run : runs) at(place++) = pack(run);
  at(place++) = length;
  words_[Notices::kHead] = place;
  return number;
}

News Notices::since(NodeId node, Heard heard) const {
  News news{{epoch(), words_[kNow]}, false, {}};
  if (heard == news.now) return news;
  news.all = heard.epoch != epoch() || heard.release < words_[kForgotten] ||
             heard.release > words_[kNow] || !is_ring(words_[kTail], words_[kHead], kRoom);
  if (news.all) return news;
  for (std::uint64_t end = words_[kHead]; end > words_[kTail];) {
    const std::uint64_t length = at(end - 1);
    // It was another node's: what is not a log says nothing.
    if (length < kAround || length > end - words_[kTail]) {
      news.all = true;
      news.runs.clear();
      return news;
    }
    const std::uint64_t begin = end - length;
    if (at(begin) <= heard.release) break;
    if (at(begin + 1) >> kHalf != node.value) {
      for (std::uint64_t i = begin + 2; i < end - 1; ++i) news.runs.push_back(unpack(at(i)));
    }
    end = begin;
  }
  unite(news.runs);
  return news;
}

}  // namespace krg::mm
