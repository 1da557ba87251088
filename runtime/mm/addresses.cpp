#include "addresses.h"

#include <algorithm>
#include <cstring>

namespace krg::mm {
namespace {

constexpr kddm::SetId kBook{16};
constexpr kddm::ObjectId kNext{0};
// Below it are programs and their heaps, above it libraries and stacks, as Linux lays them out on
// x86-64 and on arm64 with 48 bits of address; AddressSanitizer's shadow ends at 2^44 and a little.
constexpr std::uint64_t kBegin = std::uint64_t{0x2000} << 32;
constexpr std::uint64_t kEnd = std::uint64_t{0x5000} << 32;
// Page tables of two regions are not shared, and a run past the end of one meets no other.
constexpr std::uint64_t kAlign = std::uint64_t{1} << 21;

}  // namespace

Co<Result<std::uint64_t>> take_addresses(kddm::Kddm& kddm, std::uint64_t bytes, Deadline deadline) {
  kddm::SetOptions options;
  options.object_bytes = sizeof(std::uint64_t);
  options.object_count = 1;
  options.copies = 3;
  const auto made = co_await kddm.create(options, deadline, kBook);
  if (!made && made.error().code() != Errc::already_exists) co_return made.error();
  const kddm::OpOptions within{.deadline = deadline};
  KRG_CO_TRY_ASSIGN(kddm::Lease lease, co_await kddm.grab(kBook, kNext, within));
  std::uint64_t next = 0;
  std::memcpy(&next, lease.bytes().data(), sizeof next);
  const std::uint64_t address = std::max(next, kBegin);
  const std::uint64_t space = (bytes + kAlign - 1) / kAlign * kAlign + kAlign;
  if (space > kEnd - address) co_return Error(Errc::limit_reached, "addresses for regions");
  next = address + space;
  std::memcpy(lease.writable().data(), &next, sizeof next);
  co_return address;
}

}  // namespace krg::mm
