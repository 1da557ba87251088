#include "crypto.h"

#include <sodium.h>

#include "krg/base/assert.h"

namespace krg::link {
namespace {

auto* state_of(std::array<std::byte, 512>& bytes) noexcept {
  static_assert(sizeof(crypto_generichash_state) <= sizeof bytes);
  return reinterpret_cast<crypto_generichash_state*>(bytes.data());
}

const unsigned char* raw(std::span<const std::byte> bytes) noexcept {
  return reinterpret_cast<const unsigned char*>(bytes.data());
}

// libsodium picks its code for this processor once; a failure means that the kernel gives no random
// bytes.
void initialise() noexcept {
  static const int result = sodium_init();
  KRG_ASSERT(result >= 0);
}

}  // namespace

Mac::Mac(std::span<const std::byte, 32> key, std::size_t digest_size) noexcept {
  initialise();
  crypto_generichash_init(state_of(state_), raw(key), key.size(), digest_size);
}

Mac& Mac::add(std::span<const std::byte> bytes) noexcept {
  crypto_generichash_update(state_of(state_), raw(bytes), bytes.size());
  return *this;
}

Mac& Mac::add(std::string_view text) noexcept { return add(std::as_bytes(std::span(text))); }

Mac& Mac::add(std::uint64_t number) noexcept { return add(std::as_bytes(std::span(&number, 1))); }

void Mac::finish(std::span<std::byte> digest) noexcept {
  crypto_generichash_final(state_of(state_), reinterpret_cast<unsigned char*>(digest.data()),
                           digest.size());
  wipe(state_);
}

bool equal(std::span<const std::byte> a, std::span<const std::byte> b) noexcept {
  return a.size() == b.size() && sodium_memcmp(a.data(), b.data(), a.size()) == 0;
}

void wipe(std::span<std::byte> secret) noexcept { sodium_memzero(secret.data(), secret.size()); }

void fill_random(std::span<std::byte> bytes) noexcept {
  initialise();
  randombytes_buf(bytes.data(), bytes.size());
}

}  // namespace krg::link
