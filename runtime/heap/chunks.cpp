#include "chunks.h"

#include <unistd.h>

#include <algorithm>
#include <bit>

#include "krg/heap/heap.h"

namespace krg::heap {
namespace {

constexpr std::uint64_t kMark = 0x31706165'682e6772;  // "rg.heap1"
constexpr std::uint64_t kPage = 4096;
// An owner's page: who it is, and what is sent to it.
constexpr std::uint64_t kOwnersAt = kPage;
constexpr std::uint64_t kSentAt = 64;
constexpr std::uint64_t kFree = 0, kLeft = 1;  // Else a process.

constexpr std::uint64_t owner_at(std::uint64_t owner) noexcept { return kOwnersAt + owner * kPage; }
constexpr std::uint64_t pages_of(std::uint64_t bytes) noexcept {
  return (bytes + kPage - 1) / kPage * kPage;
}

}  // namespace

static_assert(std::atomic<std::uint64_t>::is_always_lock_free);

Chunks::Chunks(const Region& region, std::uint64_t chunks)
    : region_(&region),
      base_(region.data()),
      bits_at_(owner_at(Heap::kOwnersMax)),
      kinds_at_(bits_at_ + pages_of((chunks + 63) / 64 * 8)),
      first_((kinds_at_ + chunks * sizeof(Kind) + kChunkBytes - 1) / kChunkBytes) {}

Result<Chunks> Chunks::open(const Region& region) {
  if (!region.is_writable()) return Error(Errc::denied, "a heap in a region to be read");
  if (!region.is_at_home()) return Error(Errc::invalid_argument, "pointers would mean nothing");
  Chunks made(region, region.capacity() / kChunkBytes);
  if (made.count() <= made.first_) return Error(Errc::invalid_argument, "too small for a heap");
  // Behind the mark nothing is to be made: zeros are an empty heap.
  std::uint64_t found = 0;
  Word& mark = made.word(0);
  if (mark.load() != kMark && !mark.compare_exchange_strong(found, kMark) && found != kMark) {
    return Error(Errc::invalid_argument, "something else is in the region");
  }
  return made;
}

std::uint64_t Chunks::count() const noexcept { return region_->size() / kChunkBytes; }

bool Chunks::is_inside(const void* at) const noexcept {
  const auto* const byte = static_cast<const std::byte*>(at);
  return byte >= base_ + first_ * kChunkBytes && byte < base_ + count() * kChunkBytes;
}

// --- Chunks -------------------------------------------------------------------------------------

bool Chunks::try_take(std::uint64_t first, std::uint64_t count) noexcept {
  for (std::uint64_t at = first; at < first + count;) {
    const std::uint64_t bit = at % 64, here = std::min(64 - bit, first + count - at);
    const std::uint64_t mask = (here == 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << here) - 1)
                               << bit;
    std::uint64_t old = bits(at).load();
    do {
      if ((old & mask) == 0) continue;
      if (at > first) give_back(first, at - first);
      return false;
    } while (!bits(at).compare_exchange_weak(old, old | mask));
    at += here;
  }
  return true;
}

void Chunks::give_back(std::uint64_t first, std::uint64_t count) noexcept {
  for (std::uint64_t at = first; at < first + count; ++at) {
    bits(at).fetch_and(~(std::uint64_t{1} << at % 64));
  }
}

std::optional<std::uint64_t> Chunks::search(std::uint64_t begin, std::uint64_t end,
                                            std::uint64_t count, std::uint64_t align) noexcept {
  std::uint64_t run = 0;
  for (std::uint64_t at = begin; at < end; ++at) {
    const std::uint64_t word = bits(at).load(std::memory_order_relaxed);
    if (run == 0 && at % 64 == 0 && word == ~std::uint64_t{0}) {
      at += 63;
      continue;
    }
    if ((word >> at % 64 & 1) != 0) {
      run = 0;
      continue;
    }
    const std::uint64_t address = reinterpret_cast<std::uintptr_t>(base_) / kChunkBytes + at;
    if (run == 0 && address % align != 0) continue;
    if (++run < count) continue;
    if (try_take(at + 1 - count, count)) return at + 1 - count;
    run = 0;
  }
  return std::nullopt;
}

std::optional<std::uint64_t> Chunks::take(std::uint64_t count, std::uint64_t align,
                                          std::uint64_t hint) noexcept {
  const std::uint64_t end = this->count(), from = std::clamp(hint, first_, end);
  if (count > end) return std::nullopt;
  const auto found = search(from, end, count, align);
  // Also what lies across the hint.
  return found ? found : search(first_, std::min(end, from + count), count, align);
}

Kind Chunks::kind(std::uint64_t chunk) const noexcept {
  return std::bit_cast<Kind>(word(kinds_at_ + chunk * sizeof(Kind)).load());
}

void Chunks::set_kind(std::uint64_t chunk, const Kind& kind) noexcept {
  word(kinds_at_ + chunk * sizeof(Kind)).store(std::bit_cast<std::uint64_t>(kind));
}

// --- Owners -------------------------------------------------------------------------------------

Result<std::uint16_t> Chunks::become_owner(bool& inherited) noexcept {
  // Of other nodes' processes some have the same number; it only has to be none of the two.
  const std::uint64_t me = static_cast<std::uint64_t>(::getpid()) + 2;
  for (const std::uint64_t wanted : {kLeft, kFree}) {
    for (std::uint64_t owner = 0; owner < Heap::kOwnersMax; ++owner) {
      const std::uint64_t found = word(owner_at(owner)).load();
      if (wanted == kLeft && found == kFree) break;  // None was ever used from here on.
      std::uint64_t expected = wanted;
      if (found != wanted || !word(owner_at(owner)).compare_exchange_strong(expected, me)) continue;
      inherited = wanted == kLeft;
      return static_cast<std::uint16_t>(owner);
    }
  }
  return Error(Errc::limit_reached, "processes that use a heap");
}

void Chunks::leave(std::uint16_t owner) noexcept { word(owner_at(owner)).store(kLeft); }

void Chunks::send(std::uint16_t owner, std::uint64_t first, std::uint64_t last) noexcept {
  Word& head = word(owner_at(owner) + kSentAt);
  std::uint64_t old = head.load();
  do {
    next(last) = old;
  } while (!head.compare_exchange_weak(old, first));
}

std::uint64_t Chunks::receive(std::uint16_t owner) noexcept {
  Word& head = word(owner_at(owner) + kSentAt);
  return head.load(std::memory_order_relaxed) == 0 ? 0 : head.exchange(0);
}

}  // namespace krg::heap
