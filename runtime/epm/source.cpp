#include "source.h"

#include <algorithm>
#include <chrono>
#include <cstring>

#include "krg/log/log.h"

namespace krg::epm {
namespace {

constexpr std::uint64_t kChunk = 32;  // Pages.
constexpr std::uint64_t kSmall = 256 * 1024;
constexpr std::uint64_t kSmallInAll = 4 << 20;
// A host that takes no pages for so long is lost.
constexpr Duration kPatience = std::chrono::seconds(30);

Range page_of(std::uint64_t address) {
  return {address / kPage * kPage, address / kPage * kPage + kPage};
}

// Where a thread is sure to go first: its stack, its thread-local memory, its code; and what the
// kernel itself touches before the thread runs.
std::vector<Range> first_of(const ThreadImage& thread) {
  const auto& r = thread.registers;
  const std::uint64_t frame = r[4], code = r[16], stack = r[19], local = r[21];
  std::vector<Range> all;
  for (const std::uint64_t at : {frame, code, stack, local}) {
    all.push_back({page_of(at).first - std::min(page_of(at).first, kPage), page_of(at).second});
    all.back().second += kPage;
  }
  for (const std::uint64_t at : {thread.rseq[0], thread.robust_list, thread.clear_tid}) {
    if (at != 0) all.push_back(page_of(at));
  }
  return all;
}

}  // namespace

std::uint64_t real_time_us() noexcept {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::microseconds>(now).count());
}

Source::~Source() = default;

Status Source::begin(const Known& known) {
  frozen_at_us_ = real_time_us();
  KRG_TRY(frozen_.freeze());
  return frozen_.capture(known);
}

void Source::send(UniqueFd stream, bool eager, Done done) {
  done_ = std::move(done);
  control::ConnectionHandler& handler = *this;
  stream_ = std::make_unique<control::Connection>(reactor_, std::move(stream), UniqueFd(), handler);
  stream_->send(Begin{frozen_.image(), eager});
  reactor_.spawn(push(alive_, eager));
}

// Sorted, without overlaps: what has to be there before the task runs.
std::vector<Range> Source::first_pages(bool eager) const {
  std::vector<Range> hot;
  for (const ThreadImage& thread : frozen_.image().threads) {
    const auto its = first_of(thread);
    hot.insert(hot.end(), its.begin(), its.end());
  }
  std::vector<Range> all;
  std::uint64_t small = 0;
  for (const MappingImage& mapping : frozen_.image().mappings) {
    // A private mapping of a file can not be completed later.
    const std::uint64_t bytes = mapping.end - mapping.begin;
    bool whole = eager || mapping.kind == MappingImage::Kind::file;
    if (!whole && bytes <= kSmall && small + bytes <= kSmallInAll) {
      whole = true;
      small += bytes;
    }
    for (const Range& range : mapping.present) {
      if (whole) {
        all.push_back(range);
        continue;
      }
      for (const Range& one : hot) {
        const Range part{std::max(range.first, one.first), std::min(range.second, one.second)};
        if (part.first < part.second) all.push_back(part);
      }
    }
  }
  std::sort(all.begin(), all.end());
  std::vector<Range> merged;
  for (const Range& range : all) {
    if (!merged.empty() && range.first <= merged.back().second) {
      merged.back().second = std::max(merged.back().second, range.second);
    } else {
      merged.push_back(range);
    }
  }
  return merged;
}

bool Source::send_pages(std::uint64_t from, std::uint64_t count) {
  std::vector<std::byte> body(sizeof from + count * kPage);
  std::memcpy(body.data(), &from, sizeof from);
  const std::uint64_t read = frozen_.pages().read(from, count, body.data() + sizeof from);
  if (read < count) return false;
  stream_->send_frame(kPagesFrame, body);
  return true;
}

Co<bool> Source::push_range(std::weak_ptr<char> alive, Range range) {
  for (std::uint64_t at = range.first; at < range.second;) {
    const std::uint64_t count = std::min(kChunk, (range.second - at) / kPage);
    const Status room = co_await stream_->room(reactor_.after(kPatience));
    if (alive.expired() || complete_) co_return false;
    if (!room || !send_pages(at, count)) {
      end(false);
      co_return false;
    }
    at += count * kPage;
  }
  co_return true;
}

Co<void> Source::push(std::weak_ptr<char> alive, bool eager) {
  const std::vector<Range> first = first_pages(eager);
  for (const Range& range : first) {
    const bool sent = co_await push_range(alive, range);
    if (!sent) co_return;
  }
  stream_->send(Prepared{});
  if (eager) co_return;
  std::vector<Range> rest;
  for (const MappingImage& mapping : frozen_.image().mappings) {
    if (mapping.kind != MappingImage::Kind::anonymous) continue;
    rest.insert(rest.end(), mapping.present.begin(), mapping.present.end());
  }
  for (const Range& range : rest) {
    const bool sent = co_await push_range(alive, range);
    if (!sent) co_return;
  }
}

void Source::on_frame(control::Connection&, std::uint16_t type, wire::Bytes body) {
  if (type == Complete::kFrame) return end(true);
  const auto want = type == Want::kFrame ? wire::decode<Want>(body) : Result<Want>(Errc::corrupt);
  if (!want || want->pages == 0 || want->pages > kChunk ||
      !send_pages(want->address, want->pages)) {
    end(false);
  }
}

void Source::on_closed(control::Connection&, Status) { end(false); }

void Source::end(bool whole) {
  if (complete_) return;
  complete_ = true;
  // In a later turn: whoever is told may destroy this.
  const auto tell = [](std::weak_ptr<char> alive, Done done, bool all) -> Co<void> {
    if (!alive.expired() && done) done(all);
    co_return;
  };
  reactor_.spawn(tell(alive_, done_, whole));
}

}  // namespace krg::epm
