#include "krg/heap/heap_c.h"

#include <bit>
#include <cerrno>
#include <cstring>
#include <new>
#include <utility>

#include "krg/heap/heap.h"
#include "krg/region/of_c.h"

struct krg_heap {
  krg::Heap heap;
};

namespace {

void* or_full(void* block) noexcept {
  if (block == nullptr) errno = ENOMEM;
  return block;
}

}  // namespace

int krg_heap_open(const krg_region* region, krg_heap** heap) {
  if (region == nullptr || heap == nullptr) return EINVAL;
  auto opened = krg::Heap::open(krg::region_of(*region));
  if (!opened) {
    return opened.error().code() == krg::Errc::limit_reached ? ENOSPC
                                                             : krg::to_errno(opened.error().code());
  }
  auto* const made = new (std::nothrow) krg_heap{std::move(*opened)};
  if (made == nullptr) return ENOMEM;
  *heap = made;
  return 0;
}

void krg_heap_close(krg_heap* heap) { delete heap; }

void* krg_malloc(krg_heap* heap, size_t bytes) { return or_full(heap->heap.allocate(bytes)); }

void* krg_calloc(krg_heap* heap, size_t count, size_t bytes) {
  size_t all = 0;
  if (__builtin_mul_overflow(count, bytes, &all)) return or_full(nullptr);
  void* const block = or_full(heap->heap.allocate(all));
  if (block != nullptr) std::memset(block, 0, all);
  return block;
}

void* krg_realloc(krg_heap* heap, void* block, size_t bytes) {
  return or_full(heap->heap.reallocate(block, bytes));
}

void* krg_memalign(krg_heap* heap, size_t align, size_t bytes) {
  if (std::has_single_bit(align)) return or_full(heap->heap.allocate(bytes, align));
  errno = EINVAL;
  return nullptr;
}

int krg_free(krg_heap* heap, void* block) {
  const krg::Status done = heap->heap.free(block);
  return done ? 0 : krg::to_errno(done.error().code());
}
