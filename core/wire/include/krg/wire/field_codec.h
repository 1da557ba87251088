// wire/field_codec.h: how a field of a message that holds no other field becomes bytes.
//
// Model    a Codec for each type: integers, bool, double, enums, StrongId, strings, byte strings.
//          codec.h has those for what is made of others, and whole messages.
// Threads  safe.
// Blocks   never.
// Source   docs/design/wire.md, "Encoding"
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <type_traits>

#include "krg/base/ids.h"
#include "krg/wire/decoder.h"
#include "krg/wire/encoder.h"

namespace krg::wire {

using Bytes = std::span<const std::byte>;

template <class T>
struct Codec;  // put(Encoder&, const T&), get(Decoder&, T&), kMin: the fewest bytes a T takes.

template <class T>
void put(Encoder& out, const T& value) {
  Codec<T>::put(out, value);
}
template <class T>
void get(Decoder& in, T& value) {
  Codec<T>::get(in, value);
}

template <class T>
requires(std::is_integral_v<T> && !std::is_same_v<T, bool>) struct Codec<T> {
  static constexpr std::size_t kMin = sizeof(T);
  static void put(Encoder& out, T value) { out.put(value); }
  static void get(Decoder& in, T& value) { value = in.get<T>(); }
};

template <>
struct Codec<bool> {
  static constexpr std::size_t kMin = 1;
  static void put(Encoder& out, bool value) { out.put<std::uint8_t>(value ? 1 : 0); }
  static void get(Decoder& in, bool& value) {
    const auto byte = in.get<std::uint8_t>();
    if (byte > 1) in.fail();
    value = byte == 1;
  }
};

template <>
struct Codec<double> {
  static constexpr std::size_t kMin = sizeof(double);
  static void put(Encoder& out, double value) { out.put_double(value); }
  static void get(Decoder& in, double& value) { value = in.get_double(); }
};

// The reader of an enum checks its range: any value of the underlying type may arrive.
template <class T>
requires std::is_enum_v<T>
struct Codec<T> {
  using U = std::underlying_type_t<T>;
  static constexpr std::size_t kMin = sizeof(U);
  static void put(Encoder& out, T value) { out.put(static_cast<U>(value)); }
  static void get(Decoder& in, T& value) { value = static_cast<T>(in.get<U>()); }
};

template <class Tag, class Integer>
struct Codec<StrongId<Tag, Integer>> {
  static constexpr std::size_t kMin = sizeof(Integer);
  static void put(Encoder& out, StrongId<Tag, Integer> id) { out.put(id.value); }
  static void get(Decoder& in, StrongId<Tag, Integer>& id) { id.value = in.get<Integer>(); }
};

template <>
struct Codec<std::string> {
  static constexpr std::size_t kMin = 4;
  static void put(Encoder& out, const std::string& s) {
    out.put(static_cast<std::uint32_t>(s.size()));
    out.put_raw(s.data(), s.size());
  }
  static void get(Decoder& in, std::string& s) {
    const Bytes bytes = in.view(in.get_count(1));
    s.assign(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  }
};

template <>
struct Codec<Bytes> {
  static constexpr std::size_t kMin = 4;
  static void put(Encoder& out, Bytes bytes) {
    out.put(static_cast<std::uint32_t>(bytes.size()));
    out.put_raw(bytes.data(), bytes.size());
  }
  static void get(Decoder& in, Bytes& bytes) { bytes = in.view(in.get_count(1)); }
};

}  // namespace krg::wire
