#include "owner.h"

#include <algorithm>

namespace krg::heap {

Status Owner::begin() {
  bool inherited = false;
  KRG_TRY_ASSIGN(number_, chunks_.become_owner(inherited));
  // Processes begin apart, so that they do not look for chunks in the same words.
  constexpr std::uint64_t kApart = 16;
  hint_ = number_ % kApart * (chunks_.count() / kApart);
  if (inherited) inherit();
  return {};
}

// What somebody has left: of its chunks all that was ever used is in use, or has been sent.
void Owner::inherit() {
  for (std::uint64_t index = 0; index < chunks_.count(); ++index) {
    const Kind kind = chunks_.kind(index);
    if (kind.kind != Kind::kSmall || kind.owner != number_ || kind.size_class >= kClasses) continue;
    Chunk* const chunk = add(index, kind.size_class);
    chunk->used = std::min(kind.count, chunk->blocks);
    if (chunk->has_free()) list(*chunk);
  }
  receive();
}

void Owner::end() noexcept {
  if (number_ == kNoOwner) return;
  receive();
  std::uint64_t first = 0, last = 0;
  for (const auto& [index, chunk] : all_) {
    if (chunk->is_empty()) {
      chunks_.set_kind(index, {});
      chunks_.give_back(index, 1);
      continue;
    }
    const auto size_class = static_cast<std::uint8_t>(chunk->size_class);
    chunks_.set_kind(index, {Kind::kSmall, size_class, number_, chunk->used});
    for (const std::uint16_t block : chunk->free) {
      const std::uint64_t at = index * kChunkBytes + block * class_bytes(chunk->size_class);
      if (last == 0) last = at;
      chunks_.next(at) = first;
      first = at;
    }
  }
  if (first != 0) chunks_.send(number_, first, last);
  chunks_.leave(number_);
  forget();
}

void Owner::forget() noexcept {
  number_ = kNoOwner;
  all_.clear();
  for (auto& chunks : partial_) chunks.clear();
}

Owner::Chunk* Owner::add(std::uint64_t index, unsigned size_class) {
  auto chunk = std::make_unique<Chunk>();
  chunk->index = index;
  chunk->size_class = size_class;
  chunk->blocks = static_cast<std::uint32_t>(kChunkBytes / class_bytes(size_class));
  return (all_[index] = std::move(chunk)).get();
}

Owner::Chunk* Owner::make(unsigned size_class) {
  const auto index = chunks_.take(1, 1, hint_);
  if (!index) return nullptr;
  chunks_.set_kind(*index, {Kind::kSmall, static_cast<std::uint8_t>(size_class), number_, 0});
  Chunk* const chunk = add(*index, size_class);
  list(*chunk);
  return chunk;
}

void Owner::list(Chunk& chunk) {
  if (chunk.listed) return;
  chunk.listed = true;
  partial_[chunk.size_class].push_back(&chunk);
}

void Owner::take_of(Chunk& chunk, std::size_t most, std::vector<std::uint64_t>& into) {
  const std::size_t bytes = class_bytes(chunk.size_class);
  const std::uint64_t begin = chunk.index * kChunkBytes;
  for (; most > 0 && chunk.has_free(); --most) {
    std::uint64_t block = chunk.used;
    if (chunk.free.empty()) {
      ++chunk.used;
    } else {
      block = chunk.free.back();
      chunk.free.pop_back();
    }
    into.push_back(begin + block * bytes);
  }
}

void Owner::take(unsigned size_class, std::size_t most, std::vector<std::uint64_t>& into) {
  receive();
  std::vector<Chunk*>& partial = partial_[size_class];
  while (into.size() < most) {
    if (partial.empty()) {
      // What is had already will do.
      if (!into.empty() || make(size_class) == nullptr) return;
    }
    Chunk& chunk = *partial.back();
    take_of(chunk, most - into.size(), into);
    if (chunk.has_free()) continue;
    chunk.listed = false;
    partial.pop_back();
  }
}

void Owner::give(std::uint64_t offset) {
  const auto at = all_.find(offset / kChunkBytes);
  if (at == all_.end()) return;
  Chunk& chunk = *at->second;
  const std::uint64_t block = offset % kChunkBytes / class_bytes(chunk.size_class);
  chunk.free.push_back(static_cast<std::uint16_t>(block));
  list(chunk);
  std::vector<Chunk*>& partial = partial_[chunk.size_class];
  // One is kept: a program that allocates and frees one block again and again needs it.
  if (!chunk.is_empty() || partial.size() < 2) return;
  std::erase(partial, &chunk);
  const std::uint64_t index = chunk.index;
  all_.erase(at);
  chunks_.set_kind(index, {});
  chunks_.give_back(index, 1);
}

std::optional<std::uint64_t> Owner::take_large(std::uint64_t count, std::uint64_t align) noexcept {
  const auto first = chunks_.take(count, align, hint_);
  if (first) {
    chunks_.set_kind(*first, {Kind::kLarge, 0, kNoOwner, static_cast<std::uint32_t>(count)});
  }
  return first;
}

bool Owner::is_block(std::uint64_t offset) const noexcept {
  const auto at = all_.find(offset / kChunkBytes);
  if (at == all_.end()) return false;
  const Chunk& chunk = *at->second;
  const std::uint64_t within = offset % kChunkBytes, bytes = class_bytes(chunk.size_class);
  // No more than were given out: or a block is freed twice, and its list a circle.
  return within % bytes == 0 && within / bytes < chunk.used && chunk.free.size() < chunk.used;
}

// Others have written these offsets, and programs may have written over them: the rest is lost
// then, and nothing else.
void Owner::receive() {
  for (std::uint64_t at = chunks_.receive(number_); at != 0 && is_block(at);) {
    const std::uint64_t next = chunks_.next(at);
    give(at);
    at = next;
  }
}

}  // namespace krg::heap
