#include "krg/locks/barrier.h"

#include <algorithm>
#include <bit>
#include <utility>
#include <vector>

#include "krg/base/assert.h"
#include "krg/fences/fences.h"

namespace krg {

Barrier::Barrier(Locks& locks, std::uint64_t index, std::uint32_t parties) noexcept
    : SyncObject(locks, index), parties_(parties) {
  KRG_ASSERT(parties > 0);
}

Result<Barrier::Arrived> Barrier::arrive_and_wait(Duration timeout) {
  KRG_TRY(fences::release());
  KRG_TRY_ASSIGN(const auto reply, meet(parties_, sync::Reduce::none, {}, timeout));
  KRG_TRY(fences::acquire());
  return reply.last ? Arrived::last : Arrived::others;
}

template <class T>
Status Barrier::reduce(sync::Reduce how, std::span<T> values, Duration timeout) {
  if (values.size() > kReduceMost) return Error(Errc::invalid_argument, "values to reduce at once");
  std::vector<std::uint64_t> words;
  for (const T value : values) words.push_back(std::bit_cast<std::uint64_t>(value));
  KRG_TRY(fences::release());
  KRG_TRY_ASSIGN(const auto reply, meet(parties_, how, std::move(words), timeout));
  KRG_TRY(fences::acquire());
  if (reply.words.size() != values.size()) {
    return Error(Errc::invalid_argument, "others reduce other values at the same barrier");
  }
  std::transform(reply.words.begin(), reply.words.end(), values.begin(),
                 [](std::uint64_t word) { return std::bit_cast<T>(word); });
  return {};
}

Status Barrier::all_reduce(Reduce how, std::span<std::int64_t> values, Duration timeout) {
  constexpr sync::Reduce kHow[] = {sync::Reduce::sum, sync::Reduce::least, sync::Reduce::most};
  return reduce(kHow[static_cast<std::size_t>(how)], values, timeout);
}

Status Barrier::all_reduce(Reduce how, std::span<double> values, Duration timeout) {
  constexpr sync::Reduce kHow[] = {sync::Reduce::sum_real, sync::Reduce::least_real,
                                   sync::Reduce::most_real};
  return reduce(kHow[static_cast<std::size_t>(how)], values, timeout);
}

Status Latch::count_down(std::uint64_t by) {
  KRG_TRY(fences::release());
  KRG_TRY_ASSIGN(kddm::WriteLease lease, grab(kTimeout));
  const auto before = read<std::uint64_t>(lease);
  const std::uint64_t counted = before + std::min(by, count_ - std::min(before, count_));
  write(lease, counted);
  lease.end();
  if (before < count_ && counted == count_) KRG_TRY(wake(sync::kAll));
  return {};
}

Result<bool> Latch::look(Duration timeout) const {
  KRG_TRY_ASSIGN(const kddm::ReadLease lease, get(timeout));
  return read<std::uint64_t>(lease) >= count_;
}

Status Latch::wait(Duration timeout) const {
  const Until until(timeout);
  KRG_TRY_ASSIGN(bool open, look(std::max(until.left(), kSettle)));
  while (!open) {
    KRG_TRY_ASSIGN(const sync::Ticket ticket, prepare(until.left()));
    KRG_TRY_ASSIGN(open, look(kSettle));
    if (open) break;
    const Status how = SyncObject::wait(ticket, until.left());
    KRG_TRY_ASSIGN(open, look(kSettle));
    if (!open && !how) return how;
  }
  return fences::acquire();
}

}  // namespace krg
