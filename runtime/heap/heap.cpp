#include "krg/heap/heap.h"

#include <pthread.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <mutex>
#include <utility>
#include <vector>

#include "krg/mm_calls/region_info.h"
#include "owner.h"

namespace krg {

using heap::class_bytes;
using heap::kChunkBytes;
using heap::kClasses;
using heap::Kind;
using heap::kSmallMax;

class Heap::Impl {
 public:
  // What a thread keeps: free blocks of its process, by class, and blocks for other processes.
  struct Cache {
    std::weak_ptr<Impl> heap;
    std::uint64_t of = 0;  // Its id.
    std::uint64_t generation = 0;
    std::array<std::vector<std::uint64_t>, kClasses> own;
    std::vector<std::pair<std::uint16_t, std::uint64_t>> sent;
  };

  explicit Impl(heap::Chunks chunks) noexcept : chunks_(chunks) {}
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;
  ~Impl();

  Status begin(const std::shared_ptr<Impl>& self);
  void* allocate(std::size_t bytes, std::size_t align) noexcept;
  Status free(void* block) noexcept;
  std::size_t size_of(const void* block) const noexcept;
  void flush(Cache& cache) noexcept;
  Cache& cache() noexcept;

  // Around fork(): a child has no chunks but those that it takes from then on.
  void lock() noexcept { mutex_.lock(); }
  void unlock() noexcept { mutex_.unlock(); }
  void be_child() noexcept;

 private:
  // So many blocks of a class are moved at once, and twice as many kept by a thread.
  static std::size_t batch_of(unsigned size_class) noexcept {
    return std::clamp<std::size_t>(kChunkBytes / 2 / class_bytes(size_class), 2, 64);
  }
  static constexpr std::size_t kSentMost = 32;

  void* refill(Cache& cache, unsigned size_class) noexcept;
  void* allocate_large(std::size_t bytes, std::size_t align) noexcept;
  void send(Cache& cache) noexcept;

  static std::uint64_t next_id() noexcept {
    static std::atomic<std::uint64_t> last{0};
    return ++last;
  }

  const std::uint64_t id_ = next_id();
  heap::Chunks chunks_;
  std::weak_ptr<Impl> self_;
  std::mutex mutex_;
  heap::Owner owner_{chunks_};
  std::atomic<std::uint16_t> number_{heap::kNoOwner};
  std::atomic<std::uint64_t> generation_{0};  // Caches of another are a parent's.
};

namespace {

// Those that this process has open, for fork().
struct Open {
  std::mutex mutex;
  std::vector<Heap::Impl*> heaps;
};
Open& open_heaps() {
  static Open* const one = new Open;  // Threads may end after static objects have.
  return *one;
}

void before_fork() noexcept {
  open_heaps().mutex.lock();
  for (Heap::Impl* const heap : open_heaps().heaps) heap->lock();
}
void in_parent() noexcept {
  for (Heap::Impl* const heap : open_heaps().heaps) heap->unlock();
  open_heaps().mutex.unlock();
}
void in_child() noexcept {
  for (Heap::Impl* const heap : open_heaps().heaps) heap->be_child();
  in_parent();
}

// The caches of a thread; with it they go back.
struct Caches {
  std::vector<std::unique_ptr<Heap::Impl::Cache>> all;
  Caches() = default;
  Caches(const Caches&) = delete;
  Caches& operator=(const Caches&) = delete;
  ~Caches() {
    for (const auto& cache : all) {
      if (const auto heap = cache->heap.lock()) heap->flush(*cache);
    }
  }
};

}  // namespace

// --- A process ----------------------------------------------------------------------------------

Status Heap::Impl::begin(const std::shared_ptr<Impl>& self) {
  // After the regions' own, so that a child has them by then.
  static const int once = ::pthread_atfork(before_fork, in_parent, in_child);
  static_cast<void>(once);
  self_ = self;
  KRG_TRY(owner_.begin());
  number_.store(owner_.number());
  const std::lock_guard lock(open_heaps().mutex);
  open_heaps().heaps.push_back(this);
  return {};
}

Heap::Impl::~Impl() {
  {
    const std::lock_guard lock(open_heaps().mutex);
    std::erase(open_heaps().heaps, this);
  }
  owner_.end();
}

void Heap::Impl::be_child() noexcept {
  owner_.forget();
  generation_.fetch_add(1);
  // Without a number of its own it can free what others have allocated, and allocate nothing.
  static_cast<void>(owner_.begin());
  number_.store(owner_.number());
}

Heap::Impl::Cache& Heap::Impl::cache() noexcept {
  thread_local Caches caches;
  const std::uint64_t now = generation_.load(std::memory_order_relaxed);
  for (const auto& cache : caches.all) {
    if (cache->of != id_) continue;
    if (cache->generation == now) return *cache;
    for (auto& blocks : cache->own) blocks.clear();
    cache->sent.clear();
    cache->generation = now;
    return *cache;
  }
  std::erase_if(caches.all, [](const auto& cache) { return cache->heap.expired(); });
  auto& made = caches.all.emplace_back(std::make_unique<Cache>());
  made->heap = self_;
  made->of = id_;
  made->generation = now;
  return *made;
}

// --- Blocks -------------------------------------------------------------------------------------

void* Heap::Impl::refill(Cache& cache, unsigned size_class) noexcept {
  std::vector<std::uint64_t>& blocks = cache.own[size_class];
  const std::lock_guard lock(mutex_);
  if (owner_.number() == heap::kNoOwner) return nullptr;
  owner_.take(size_class, batch_of(size_class), blocks);
  if (blocks.empty()) return nullptr;
  const std::uint64_t offset = blocks.back();
  blocks.pop_back();
  return chunks_.at(offset);
}

void* Heap::Impl::allocate_large(std::size_t bytes, std::size_t align) noexcept {
  const std::uint64_t count = (bytes + kChunkBytes - 1) / kChunkBytes;
  const std::lock_guard lock(mutex_);
  const auto first = owner_.take_large(count, std::max<std::uint64_t>(align / kChunkBytes, 1));
  return first ? chunks_.at(*first * kChunkBytes) : nullptr;
}

void* Heap::Impl::allocate(std::size_t bytes, std::size_t align) noexcept {
  if (!std::has_single_bit(align) || bytes > mm::kRegionBytesMax) return nullptr;
  bytes = std::max<std::size_t>(bytes, 1);
  // Blocks of a size that is a power of two lie at multiples of it.
  if (align > kAlign) bytes = std::bit_ceil(std::max(bytes, align));
  if (bytes > kSmallMax) return allocate_large(bytes, align);
  const unsigned size_class = heap::class_of(bytes);
  Cache& mine = cache();
  std::vector<std::uint64_t>& blocks = mine.own[size_class];
  if (blocks.empty()) {
    if (void* const block = refill(mine, size_class)) return block;
    flush(mine);  // What it keeps of other classes may be what is missing.
    return refill(mine, size_class);
  }
  const std::uint64_t offset = blocks.back();
  blocks.pop_back();
  return chunks_.at(offset);
}

std::size_t Heap::Impl::size_of(const void* block) const noexcept {
  if (!chunks_.is_inside(block)) return 0;
  const std::uint64_t offset = chunks_.offset_of(block), within = offset % kChunkBytes;
  const Kind kind = chunks_.kind(offset / kChunkBytes);
  if (kind.kind == Kind::kLarge && within == 0) return kind.count * kChunkBytes;
  if (kind.kind != Kind::kSmall || kind.size_class >= kClasses || kind.owner >= kOwnersMax) {
    return 0;
  }
  const std::size_t bytes = class_bytes(kind.size_class);
  return within % bytes == 0 ? bytes : 0;
}

Status Heap::Impl::free(void* block) noexcept {
  if (size_of(block) == 0) return Error(Errc::invalid_argument, "no block of this heap");
  const std::uint64_t offset = chunks_.offset_of(block), index = offset / kChunkBytes;
  const Kind kind = chunks_.kind(index);
  if (kind.kind == Kind::kLarge) {
    chunks_.set_kind(index, {});
    chunks_.give_back(index, kind.count);
    return {};
  }
  Cache& mine = cache();
  if (kind.owner != number_.load(std::memory_order_relaxed)) {
    mine.sent.emplace_back(kind.owner, offset);
    if (mine.sent.size() >= kSentMost) send(mine);
    return {};
  }
  std::vector<std::uint64_t>& blocks = mine.own[kind.size_class];
  blocks.push_back(offset);
  const std::size_t batch = batch_of(kind.size_class);
  if (blocks.size() <= 2 * batch) return {};
  const std::lock_guard lock(mutex_);
  // The oldest: what was freed last is in the caches of this core.
  for (std::size_t i = 0; i < batch; ++i) owner_.give(blocks[i]);
  blocks.erase(blocks.begin(), blocks.begin() + static_cast<std::ptrdiff_t>(batch));
  return {};
}

// To each owner as one list.
void Heap::Impl::send(Cache& cache) noexcept {
  auto& sent = cache.sent;
  std::sort(sent.begin(), sent.end());
  for (std::size_t begin = 0; begin < sent.size();) {
    std::size_t end = begin + 1;
    for (; end < sent.size() && sent[end].first == sent[begin].first; ++end) {
      chunks_.next(sent[end - 1].second) = sent[end].second;
    }
    chunks_.send(sent[begin].first, sent[begin].second, sent[end - 1].second);
    begin = end;
  }
  sent.clear();
}

void Heap::Impl::flush(Cache& cache) noexcept {
  if (cache.generation != generation_.load()) return;
  send(cache);
  const std::lock_guard lock(mutex_);
  owner_.receive();
  for (auto& blocks : cache.own) {
    for (const std::uint64_t offset : blocks) owner_.give(offset);
    blocks.clear();
  }
}

// --- What programs call -------------------------------------------------------------------------

Heap::Heap(std::shared_ptr<Impl> impl) noexcept : impl_(std::move(impl)) {}
Heap::Heap(Heap&&) noexcept = default;
Heap& Heap::operator=(Heap&&) noexcept = default;
Heap::~Heap() {
  if (impl_) flush();
}

Result<Heap> Heap::open(const Region& region) {
  KRG_TRY_ASSIGN(heap::Chunks chunks, heap::Chunks::open(region));
  auto impl = std::make_shared<Impl>(chunks);
  KRG_TRY(impl->begin(impl));
  return Heap(std::move(impl));
}

void* Heap::allocate(std::size_t bytes, std::size_t align) noexcept {
  return impl_->allocate(bytes, align);
}

void* Heap::reallocate(void* block, std::size_t bytes) noexcept {
  if (block == nullptr) return allocate(bytes);
  const std::size_t size = size_of(block);
  if (size == 0) return nullptr;
  // It also shrinks, but not for a little.
  if (bytes <= size && bytes >= size / 2) return block;
  void* const made = allocate(bytes);
  if (made == nullptr) return nullptr;
  std::memcpy(made, block, std::min(size, bytes));
  static_cast<void>(free(block));
  return made;
}

Status Heap::free(void* block) noexcept { return block == nullptr ? Status() : impl_->free(block); }

std::size_t Heap::size_of(const void* block) const noexcept { return impl_->size_of(block); }

void Heap::flush() noexcept { impl_->flush(impl_->cache()); }

}  // namespace krg
