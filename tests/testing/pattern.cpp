#include "krg/testing/pattern.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace krg::testing {
namespace {

class Words {
 public:
  explicit Words(std::uint64_t number) noexcept
      : state_(number * 0x9e3779b97f4a7c15u + 0xd1342543de82ef95u) {
    if (state_ == 0) state_ = 1;
  }
  std::array<std::byte, 8> next() noexcept {
    state_ ^= state_ >> 12;
    state_ ^= state_ << 25;
    state_ ^= state_ >> 27;
    const std::uint64_t word = state_ * 0x2545f4914f6cdd1du;
    std::array<std::byte, 8> bytes;
    std::memcpy(bytes.data(), &word, sizeof word);
    return bytes;
  }

 private:
  std::uint64_t state_;
};

}  // namespace

void fill_pattern(std::span<std::byte> bytes, std::uint64_t number) {
  Words words(number);
  for (std::size_t at = 0; at < bytes.size(); at += 8) {
    const auto word = words.next();
    std::memcpy(bytes.data() + at, word.data(), std::min<std::size_t>(8, bytes.size() - at));
  }
}

Bytes pattern(std::size_t size, std::uint64_t number) {
  Bytes bytes(size);
  fill_pattern(bytes, number);
  return bytes;
}

std::size_t first_difference(std::span<const std::byte> bytes, std::uint64_t number) {
  Words words(number);
  for (std::size_t at = 0; at < bytes.size(); at += 8) {
    const auto word = words.next();
    const std::size_t length = std::min<std::size_t>(8, bytes.size() - at);
    if (std::memcmp(bytes.data() + at, word.data(), length) == 0) continue;
    for (std::size_t i = 0; i < length; ++i) {
      if (bytes[at + i] != word[i]) return at + i;
    }
  }
  return bytes.size();
}

}  // namespace krg::testing
