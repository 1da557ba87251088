// wire/encoder.h: values into bytes, little-endian, within a bound.
//
// Model    writes at the front of a given span; past its end nothing is written and ok() turns
//          false for good. size() goes on counting, so a dry run over an empty span tells how much
//          room is needed.
// Threads  owned by one thread.
// Blocks   never. Cost: a bounds check and a store per integer.
// Source   docs/design/wire.md, "Encoding"
#pragma once

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace krg::wire {

static_assert(std::endian::native == std::endian::little, "a big-endian port must swap here");

class Encoder {
 public:
  explicit Encoder(std::span<std::byte> into) noexcept : into_(into) {}

  template <std::integral T>
  void put(T value) noexcept {
    put_raw(&value, sizeof value);
  }
  void put_double(double value) noexcept { put_raw(&value, sizeof value); }
  // The bytes alone: the decoder must know how many.
  void put_raw(const void* from, std::size_t size) noexcept {
    if (size <= room()) [[likely]] {
      if (size != 0) std::memcpy(into_.data() + size_, from, size);
    }
    size_ += size;
  }

  // Whether everything fitted.
  bool ok() const noexcept { return size_ <= into_.size(); }
  // Bytes written, or that would have been.
  std::size_t size() const noexcept { return size_; }

 private:
  std::size_t room() const noexcept { return size_ <= into_.size() ? into_.size() - size_ : 0; }

  std::span<std::byte> into_;
  std::size_t size_ = 0;
};

}  // namespace krg::wire
