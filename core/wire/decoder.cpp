#include "krg/wire/decoder.h"

namespace krg::wire {

std::span<const std::byte> Decoder::view(std::size_t size) noexcept {
  if (size > left()) {
    ok_ = false;
    return {};
  }
  const auto bytes = from_.subspan(at_, size);
  at_ += size;
  return bytes;
}

std::size_t Decoder::get_count(std::size_t element_min) noexcept {
  const std::size_t count = get<std::uint32_t>();
  if (!ok_ || count > left() / (element_min == 0 ? 1 : element_min)) {
    ok_ = false;
    return 0;
  }
  return count;
}

}  // namespace krg::wire
