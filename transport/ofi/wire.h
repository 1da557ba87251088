// What travels on the data path: a 16-byte header in the headroom, then the content of its kind.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "krg/fabric/endpoint.h"

namespace krg::ofi {

enum class Kind : std::uint8_t {
  message = 1,   // A small message.
  large,         // LargeHead, PartRef for each part that can be read, header, data if it is inline.
  pull,          // Transfer: the receiver of a large message wants its data sent.
  data,          // Transfer, bytes of a large message.
  finish,        // Transfer: a large message is over; `status`.
  cancel,        // Transfer: the sender of a large message wants it to end.
  put,           // MemoryHead, bytes.
  get,           // MemoryHead.
  get_data,      // Transfer, bytes.
  fetch_add,     // MemoryHead, `a`.
  compare_swap,  // MemoryHead, `a` expected, `b` desired.
  memory_done,   // Transfer: `status`, `at` the old value of an atomic operation.
  bye,           // Nothing follows in this session.
};

struct Header {
  std::uint64_t token;
  Kind kind;
  std::uint8_t parts;
  std::uint16_t zero;
  std::uint32_t header_size;  // Of a large message: bytes of its header.
};
static_assert(sizeof(Header) == fabric::kHeadroom);

struct LargeHead {
  std::uint64_t id;
  std::uint64_t size;
};

// Memory of the sender that the receiver may read itself.
struct PartRef {
  std::uint64_t address;
  std::uint64_t key;
  std::uint64_t size;
};

struct Transfer {
  std::uint64_t id;
  std::uint64_t at;
  std::uint64_t status;  // An Errc.
};

struct MemoryHead {
  std::uint64_t id;
  std::uint64_t region;
  std::uint64_t offset;
  std::uint64_t size;  // Of the whole operation.
  std::uint64_t a, b;
};

static_assert(sizeof(LargeHead) == 16 && sizeof(PartRef) == 24 && sizeof(Transfer) == 24 &&
              sizeof(MemoryHead) == 48);

// Takes a T off the front of `from`; false if there are too few bytes.
template <class T>
bool take(std::span<const std::byte>& from, T& value) noexcept {
  static_assert(std::is_trivially_copyable_v<T>);
  if (from.size() < sizeof value) return false;
  std::memcpy(&value, from.data(), sizeof value);
  from = from.subspan(sizeof value);
  return true;
}

enum class RailKind : std::uint8_t { shm, verbs, tcp };
inline constexpr std::size_t kRailKinds = 3;

// What each side tells the other over the link.
struct Greeting {
  std::array<std::vector<std::byte>, kRailKinds> addresses;  // Empty: no such rail.
  std::string doorbell;
  std::uint32_t pid = 0;
  std::uint64_t probe = 0;  // Where kProbe lies in this process: who can read it may read more.

  static void wire_fields(auto& m, auto&& visit) {
    visit(m.addresses[0], m.addresses[1], m.addresses[2], m.doorbell, m.pid, m.probe);
  }
};
inline constexpr std::uint64_t kProbe = 0x6b72676f66692031;

// The bytes of Region::key().
struct RegionKey {
  std::uint64_t magic;
  std::uint64_t id;
  std::uint64_t size;
  std::array<std::uint64_t, kRailKinds> key;
  std::array<std::uint64_t, kRailKinds> address;
  std::array<std::uint8_t, 8> direct;  // By rail: whether key and address are good.
};
static_assert(sizeof(RegionKey) == 80);
inline constexpr std::uint64_t kRegionMagic = 0x6f66692d6d656d31;

}  // namespace krg::ofi
