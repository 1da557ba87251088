#include "krg/harness/meeting.h"

#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstring>
#include <new>

#include "krg/base/assert.h"

namespace krg::harness {

struct Meeting::Shared {
  struct Blob {
    std::atomic<bool> full{false};
    std::size_t size = 0;
    std::array<std::byte, kBlobMax> bytes;
  };
  std::array<std::array<Blob, kExchangesMax>, 2> blobs;
};

Meeting::Meeting() {
  void* memory =
      mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  KRG_ASSERT(memory != MAP_FAILED);
  shared_ = new (memory) Shared;
}

Meeting::~Meeting() { munmap(shared_, sizeof(Shared)); }

std::vector<std::byte> Meeting::exchange(std::span<const std::byte> mine) {
  KRG_ASSERT(mine.size() <= kBlobMax && next_ < kExchangesMax);
  Shared::Blob& out = shared_->blobs[side_][next_];
  Shared::Blob& in = shared_->blobs[1 - side_][next_];
  ++next_;
  if (!mine.empty()) std::memcpy(out.bytes.data(), mine.data(), mine.size());
  out.size = mine.size();
  out.full.store(true, std::memory_order_release);
  while (!in.full.load(std::memory_order_acquire)) usleep(50);
  return {in.bytes.begin(), in.bytes.begin() + static_cast<std::ptrdiff_t>(in.size)};
}

std::string Meeting::exchange(const std::string& mine) {
  const auto theirs = exchange(std::as_bytes(std::span(mine)));
  return {reinterpret_cast<const char*>(theirs.data()), theirs.size()};
}

}  // namespace krg::harness
