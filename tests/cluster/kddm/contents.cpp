#include "contents.h"

#include <cstring>

namespace krg::kddm_sim {
namespace {

// What stands in the word with that number. All words of zeros are zero.
std::uint64_t word_of(Value value, std::size_t number) {
  return value == kZeros ? 0 : value + number * 0x9e3779b97f4a7c15u;
}

}  // namespace

void write_value(std::span<std::byte> bytes, Value value) {
  const std::size_t words = bytes.size() / sizeof value;
  for (std::size_t i = 0; i < words; ++i) {
    const std::uint64_t word = word_of(value, i);
    std::memcpy(bytes.data() + i * sizeof word, &word, sizeof word);
  }
  const std::uint64_t last = word_of(value, words);
  std::memcpy(bytes.data() + words * sizeof last, &last, bytes.size() % sizeof last);
}

std::optional<Value> read_value(std::span<const std::byte> bytes) {
  Value value = kZeros;
  if (bytes.size() < sizeof value) return kZeros;
  std::memcpy(&value, bytes.data(), sizeof value);
  const std::size_t words = bytes.size() / sizeof value;
  std::uint64_t wrong = 0;
  for (std::size_t i = 1; i < words; ++i) {
    std::uint64_t word = 0;
    std::memcpy(&word, bytes.data() + i * sizeof word, sizeof word);
    wrong |= word ^ word_of(value, i);
  }
  const std::uint64_t last = word_of(value, words);
  const std::size_t rest = bytes.size() % sizeof value;
  if (wrong != 0 || std::memcmp(bytes.data() + words * sizeof value, &last, rest) != 0) {
    return std::nullopt;
  }
  return value;
}

}  // namespace krg::kddm_sim
