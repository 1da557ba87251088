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
  for (std::size_t i = 0; i * 8 < bytes.size(); ++i) {
    const std::uint64_t word = word_of(value, i);
    std::memcpy(bytes.data() + i * 8, &word, std::min<std::size_t>(8, bytes.size() - i * 8));
  }
}

std::optional<Value> read_value(std::span<const std::byte> bytes) {
  Value value = kZeros;
  if (bytes.size() < sizeof value) return kZeros;
  std::memcpy(&value, bytes.data(), sizeof value);
  for (std::size_t i = 1; i * 8 < bytes.size(); ++i) {
    const std::uint64_t word = word_of(value, i);
    const std::size_t size = std::min<std::size_t>(8, bytes.size() - i * 8);
    if (std::memcmp(bytes.data() + i * 8, &word, size) != 0) return std::nullopt;
  }
  return value;
}

}  // namespace krg::kddm_sim
