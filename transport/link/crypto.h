// The few primitives of libsodium that the link uses, so that the rest of it names none.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "krg/fabric/fabric.h"

namespace krg::link {

using Digest = std::array<std::byte, 32>;

// Keyed BLAKE2b over parts, which the caller keeps apart by fixed sizes.
class Mac {
 public:
  Mac(std::span<const std::byte, 32> key, std::size_t digest_size) noexcept;
  Mac& add(std::span<const std::byte> bytes) noexcept;
  Mac& add(std::string_view text) noexcept;
  Mac& add(std::uint64_t number) noexcept;
  // Requires  digest.size() is the size given at the start.
  void finish(std::span<std::byte> digest) noexcept;

 private:
  alignas(64) std::array<std::byte, 512> state_;
};

// Takes the same time wherever the two differ.
bool equal(std::span<const std::byte> a, std::span<const std::byte> b) noexcept;
void wipe(std::span<std::byte> secret) noexcept;
void fill_random(std::span<std::byte> bytes) noexcept;

}  // namespace krg::link
