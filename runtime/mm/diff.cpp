#include "krg/mm/diff.h"

#include <cstring>

#include "krg/base/assert.h"

namespace krg::mm {
namespace {

constexpr std::size_t kWords = kPageBytes / 8;

// Before the runs of a page.
struct DiffHead {
  std::uint64_t page;
  std::uint32_t bytes;  // Of the runs.
  std::uint32_t spare;
};
static_assert(sizeof(DiffHead) == 16);

// Words that follow each other. A byte of mask for each, then their bytes, all 8.
struct RunHead {
  std::uint16_t first;
  std::uint16_t count;
};
static_assert(sizeof(RunHead) == 4);

std::uint64_t word_at(const std::byte* page, std::size_t word) noexcept {
  std::uint64_t value = 0;
  std::memcpy(&value, page + word * 8, sizeof value);
  return value;
}

// Bit i: byte i of the word is not 0.
std::uint8_t bytes_of(std::uint64_t difference) noexcept {
  constexpr std::uint64_t kLow = 0x7f7f7f7f7f7f7f7f;
  const std::uint64_t high = (((difference & kLow) + kLow) | difference) & ~kLow;
  // Gathers the bytes' highest bits.
  return static_cast<std::uint8_t>((high >> 7) * 0x0102040810204080 >> 56);
}

// All bits of the bytes that `mask` names.
std::uint64_t bits_of(std::uint8_t mask) noexcept {
  const std::uint64_t spread = (std::uint64_t{mask} * 0x0101010101010101) & 0x8040201008040201;
  const std::uint64_t ones = ((spread + 0x7f7f7f7f7f7f7f7f) >> 7) & 0x0101010101010101;
  return ones * 0xff;
}

void put(std::vector<std::byte>& out, const void* from, std::size_t bytes) {
  const auto* const at = static_cast<const std::byte*>(from);
  out.insert(out.end(), at, at + bytes);
}

std::size_t size_of(RunHead run) noexcept { return sizeof run + run.count * std::size_t{9}; }

}  // namespace

bool append_diff(Page page, PageView twin, PageView now, std::vector<std::byte>& out) {
  const std::size_t begin = out.size();
  for (std::size_t word = 0; word < kWords; ++word) {
    // Most of a page is as it was: looked at by cache lines.
    if (word % 8 == 0 && std::memcmp(twin.data() + word * 8, now.data() + word * 8, 64) == 0) {
      word += 7;
      continue;
    }
    std::size_t end = word;
    while (end < kWords && word_at(twin.data(), end) != word_at(now.data(), end)) ++end;
    if (end == word) continue;
    if (out.size() == begin) out.resize(begin + sizeof(DiffHead));
    const RunHead run{static_cast<std::uint16_t>(word), static_cast<std::uint16_t>(end - word)};
    put(out, &run, sizeof run);
    for (std::size_t i = word; i < end; ++i) {
      const std::uint8_t mask = bytes_of(word_at(twin.data(), i) ^ word_at(now.data(), i));
      put(out, &mask, 1);
    }
    put(out, now.data() + word * 8, run.count * std::size_t{8});
    word = end;
  }
  if (out.size() == begin) return false;
  const DiffHead head{page.value, static_cast<std::uint32_t>(out.size() - begin - sizeof(DiffHead)),
                      0};
  std::memcpy(out.data() + begin, &head, sizeof head);
  return true;
}

bool Diffs::is_right() const noexcept {
  for (std::size_t at = 0; at < bytes_.size();) {
    DiffHead head;
    if (bytes_.size() - at < sizeof head) return false;
    std::memcpy(&head, bytes_.data() + at, sizeof head);
    at += sizeof head;
    if (head.bytes == 0 || head.bytes > bytes_.size() - at) return false;
    std::size_t word = 0;  // Runs do not go back.
    for (const std::size_t end = at + head.bytes; at < end;) {
      RunHead run;
      if (end - at < sizeof run) return false;
      std::memcpy(&run, bytes_.data() + at, sizeof run);
      if (run.count == 0 || run.first < word || run.first + run.count > kWords ||
          size_of(run) > end - at) {
        return false;
      }
      word = run.first + run.count;
      at += size_of(run);
    }
  }
  return true;
}

bool Diffs::next(One& one) noexcept {
  if (at_ == bytes_.size()) return false;
  DiffHead head;
  std::memcpy(&head, bytes_.data() + at_, sizeof head);
  one = {Page{head.page}, bytes_.subspan(at_ + sizeof head, head.bytes)};
  at_ += sizeof head + head.bytes;
  return true;
}

void Diffs::apply(const One& one, std::span<std::byte, kPageBytes> page) noexcept {
  for (std::size_t at = 0; at < one.runs.size();) {
    RunHead run;
    std::memcpy(&run, one.runs.data() + at, sizeof run);
    const std::byte* const masks = one.runs.data() + at + sizeof run;
    const std::byte* const words = masks + run.count;
    for (std::size_t i = 0; i < run.count; ++i) {
      const std::uint64_t bits = bits_of(static_cast<std::uint8_t>(masks[i]));
      const std::size_t word = run.first + i;
      const std::uint64_t value = (word_at(page.data(), word) & ~bits) | (word_at(words, i) & bits);
      std::memcpy(page.data() + word * 8, &value, sizeof value);
    }
    at += size_of(run);
  }
}

}  // namespace krg::mm
