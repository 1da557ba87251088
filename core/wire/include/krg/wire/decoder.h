// wire/decoder.h: bytes from outside into values, never past their end.
//
// Model    reads from the front of a span. A read past the end gives zeros and ok() turns false for
//          good, so a caller checks once, at the end. No count read from the bytes leads to an
//          allocation larger than the bytes that are left could fill.
// Threads  owned by one thread.
// Blocks   never.
// Source   docs/design/wire.md, "Encoding"
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace krg::wire {

class Decoder {
 public:
  explicit Decoder(std::span<const std::byte> from) noexcept : from_(from) {}

  template <std::integral T>
  T get() noexcept {
    T value{};
    get_raw(&value, sizeof value);
    return value;
  }
  double get_double() noexcept {
    double value = 0;
    get_raw(&value, sizeof value);
    return value;
  }
  void get_raw(void* into, std::size_t size) noexcept {
    if (size > left()) [[unlikely]] {
      ok_ = false;
      std::memset(into, 0, size);
      return;
    }
    if (size != 0) std::memcpy(into, from_.data() + at_, size);
    at_ += size;
  }
  // A view of the next `size` bytes, valid as long as the bytes decoded; empty if there are fewer.
  std::span<const std::byte> view(std::size_t size) noexcept;
  // A 32-bit count of elements of at least `element_min` bytes each; 0 and not ok() if the bytes
  // left can not hold that many.
  std::size_t get_count(std::size_t element_min) noexcept;

  void fail() noexcept { ok_ = false; }
  bool ok() const noexcept { return ok_; }
  std::size_t left() const noexcept { return from_.size() - at_; }
  // ok(), and nothing is left over.
  bool finished() const noexcept { return ok_ && left() == 0; }

 private:
  std::span<const std::byte> from_;
  std::size_t at_ = 0;
  bool ok_ = true;
};

}  // namespace krg::wire
