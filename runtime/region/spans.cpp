#include "krg/region/spans.h"

#include <array>
#include <atomic>
#include <memory>
#include <mutex>

namespace krg {
namespace {

struct Slot {
  std::atomic<std::uintptr_t> begin{0};
  std::atomic<std::uintptr_t> end{0};  // 0: the slot is free.
  std::atomic<Span> kind{Span::none};
};

// Blocks of slots are never given back, so who looks needs no lock.
struct Block {
  std::array<Slot, 64> slots;
  std::atomic<Block*> next{nullptr};
};

struct Spans {
  std::mutex mutex;  // Of who changes them.
  std::atomic<std::size_t> count{0};
  Block first;
};

Spans& spans() {
  static Spans* const all = new Spans;
  return *all;
}

template <class Take>
void each(Take&& take) {
  for (Block* block = &spans().first; block != nullptr; block = block->next.load()) {
    for (Slot& slot : block->slots) {
      if (take(slot)) return;
    }
    if (block->next.load() == nullptr) return;
  }
}

}  // namespace

Span overlapping(const void* at, std::size_t bytes) noexcept {
  if (bytes == 0 || spans().count.load(std::memory_order_acquire) == 0) return Span::none;
  const auto begin = reinterpret_cast<std::uintptr_t>(at);
  const std::uintptr_t end = begin + bytes < begin ? ~std::uintptr_t{0} : begin + bytes;
  Span found = Span::none;
  each([&](Slot& slot) {
    if (slot.end.load(std::memory_order_acquire) <= begin) return false;
    if (slot.begin.load(std::memory_order_acquire) >= end) return false;
    found = slot.kind.load(std::memory_order_relaxed);
    return true;
  });
  return found;
}

void add_span(std::uintptr_t begin, std::size_t bytes, Span kind) {
  Spans& all = spans();
  const std::lock_guard lock(all.mutex);
  Block* last = &all.first;
  Slot* free = nullptr;
  for (Block* block = last; block != nullptr; block = block->next.load()) {
    last = block;
    for (Slot& slot : block->slots) {
      if (free == nullptr && slot.end.load() == 0) free = &slot;
    }
  }
  if (free == nullptr) {
    auto* const more = new Block;
    free = &more->slots[0];
    last->next.store(more);
  }
  free->kind.store(kind, std::memory_order_relaxed);
  free->begin.store(begin, std::memory_order_release);
  free->end.store(begin + bytes, std::memory_order_release);
  all.count.fetch_add(1);
}

void remove_span(std::uintptr_t begin) noexcept {
  Spans& all = spans();
  const std::lock_guard lock(all.mutex);
  each([&](Slot& slot) {
    if (slot.end.load() == 0 || slot.begin.load() != begin) return false;
    slot.end.store(0);
    all.count.fetch_sub(1);
    return true;
  });
}

}  // namespace krg
