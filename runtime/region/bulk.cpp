#include "krg/region/bulk.h"

#include <algorithm>
#include <cstring>

#include "impl.h"
#include "krg/mm_calls/carry.h"

namespace krg {
namespace {

// Brought while the part before it is copied.
constexpr std::size_t kPart = std::size_t{4} << 20;

}  // namespace

struct BulkAccess {
  static const Region::Impl& of(const Region& region) noexcept { return *region.impl_; }
};

Status prefetch(const Region& region, std::size_t offset, std::size_t bytes) {
  return BulkAccess::of(region).bring(offset, bytes, false, true);
}

Status advise(const Region& region, std::size_t offset, std::size_t bytes, Advice advice) {
  const auto& impl = BulkAccess::of(region);
  switch (advice) {
    case Advice::owner:
      return impl.bring(offset, bytes, true, true);
    case Advice::read_mostly:
      return impl.spread(offset, bytes);
    case Advice::will_need:
      return impl.bring(offset, bytes, false, false);
    case Advice::dont_need:
      return impl.give_up(offset, bytes);
  }
  return Error(Errc::invalid_argument, "unknown advice");
}

Status pin(const Region& region, std::size_t offset, std::size_t bytes, Duration time) {
  const auto ms = std::chrono::ceil<std::chrono::milliseconds>(time).count();
  if (ms <= 0 || ms > mm::calls::Pin::kMostMs) {
    return Error(Errc::invalid_argument, "pages are pinned for ten minutes at most");
  }
  return BulkAccess::of(region).pin(offset, bytes, static_cast<std::uint32_t>(ms));
}

Status unpin(const Region& region, std::size_t offset, std::size_t bytes) {
  return BulkAccess::of(region).pin(offset, bytes, 0);
}

Status push(const Region& region, std::size_t offset, std::size_t bytes, std::uint32_t node,
            bool owner) {
  return BulkAccess::of(region).push(offset, bytes, NodeId{node}, owner);
}

Status copy(const Region& to, std::size_t to_offset, const Region& from, std::size_t from_offset,
            std::size_t bytes) {
  const auto& sink = BulkAccess::of(to);
  const auto& source = BulkAccess::of(from);
  const bool same = sink.info().set == source.info().set;
  if (same && to_offset < from_offset + bytes && from_offset < to_offset + bytes) {
    return Error(Errc::invalid_argument, "a copy onto itself");
  }
  // All is checked before anything is written.
  KRG_TRY(sink.check(to_offset, bytes));
  KRG_TRY(source.check(from_offset, bytes));
  for (std::size_t at = 0; at < bytes; at += kPart) {
    const std::size_t part = std::min(kPart, bytes - at);
    KRG_TRY(source.bring(from_offset + at, part, false, true));
    KRG_TRY(sink.bring(to_offset + at, part, true, true));
    const std::size_t next = std::min(kPart, bytes - at - part);
    KRG_TRY(source.bring(from_offset + at + part, next, false, false));
    KRG_TRY(sink.bring(to_offset + at + part, next, true, false));
    std::memcpy(to.data() + to_offset + at, from.data() + from_offset + at, part);
  }
  return {};
}

Status fill(const Region& region, std::size_t offset, std::size_t bytes, std::byte value) {
  const auto& impl = BulkAccess::of(region);
  KRG_TRY(impl.check(offset, bytes));
  for (std::size_t at = 0; at < bytes; at += kPart) {
    const std::size_t part = std::min(kPart, bytes - at);
    KRG_TRY(impl.bring(offset + at, part, true, true));
    KRG_TRY(impl.bring(offset + at + part, std::min(kPart, bytes - at - part), true, false));
    std::memset(region.data() + offset + at, static_cast<int>(value), part);
  }
  return {};
}

}  // namespace krg
