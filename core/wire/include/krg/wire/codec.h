// wire/codec.h: messages as plain structs.
//
// Model    a message names its fields once:
//            struct Hello {
//              NodeId node;
//              std::string host;
//              static void wire_fields(auto& m, auto&& visit) { visit(m.node, m.host); }
//            };
//          Fields are integers, enums, bool, double, StrongId, std::string, std::vector,
//          std::optional, std::pair, std::array, other messages, and std::span<const std::byte>,
//          which after decoding points into the bytes decoded.
// Threads  safe.
// Blocks   never.
// Source   docs/design/wire.md, "Encoding"
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

#include "krg/error/result.h"
#include "krg/wire/decoder.h"
#include "krg/wire/encoder.h"
#include "krg/wire/field_codec.h"

namespace krg::wire {

template <class T>
concept Message = requires(T& m) {
  T::wire_fields(m, [](auto&...) {});
};

// A message without fields.
struct Empty {
  static void wire_fields(auto&, auto&& visit) { visit(); }
};

template <class T>
struct Codec<std::vector<T>> {
  static constexpr std::size_t kMin = 4;
  static void put(Encoder& out, const std::vector<T>& items) {
    out.put(static_cast<std::uint32_t>(items.size()));
    if constexpr (std::is_same_v<T, std::byte>) {
      out.put_raw(items.data(), items.size());
    } else {
      for (const T& item : items) Codec<T>::put(out, item);
    }
  }
  static void get(Decoder& in, std::vector<T>& items) {
    items.clear();
    if constexpr (std::is_same_v<T, std::byte>) {
      const Bytes bytes = in.view(in.get_count(1));
      items.assign(bytes.begin(), bytes.end());
    } else {
      const std::size_t count = in.get_count(Codec<T>::kMin);
      for (std::size_t i = 0; i < count && in.ok(); ++i) Codec<T>::get(in, items.emplace_back());
    }
  }
};

template <class T, std::size_t N>
struct Codec<std::array<T, N>> {
  static constexpr std::size_t kMin = N * sizeof(T);
  static_assert(std::is_integral_v<T> || std::is_same_v<T, std::byte>);
  static void put(Encoder& out, const std::array<T, N>& a) { out.put_raw(a.data(), sizeof a); }
  static void get(Decoder& in, std::array<T, N>& a) { in.get_raw(a.data(), sizeof a); }
};

template <class T>
struct Codec<std::optional<T>> {
  static constexpr std::size_t kMin = 1;
  static void put(Encoder& out, const std::optional<T>& value) {
    wire::put(out, value.has_value());
    if (value) wire::put(out, *value);
  }
  static void get(Decoder& in, std::optional<T>& value) {
    bool present = false;
    wire::get(in, present);
    value.reset();
    if (present && in.ok()) wire::get(in, value.emplace());
  }
};

template <class A, class B>
struct Codec<std::pair<A, B>> {
  static constexpr std::size_t kMin = Codec<A>::kMin + Codec<B>::kMin;
  static void put(Encoder& out, const std::pair<A, B>& p) {
    wire::put(out, p.first);
    wire::put(out, p.second);
  }
  static void get(Decoder& in, std::pair<A, B>& p) {
    wire::get(in, p.first);
    wire::get(in, p.second);
  }
};

template <Message T>
struct Codec<T> {
  // At least one byte, or a count of empty messages could ask for any amount of memory.
  static constexpr std::size_t kMin = 1;
  static void put(Encoder& out, const T& m) {
    T::wire_fields(m, [&](const auto&... fields) { (wire::put(out, fields), ...); });
  }
  static void get(Decoder& in, T& m) {
    T::wire_fields(m, [&](auto&... fields) { (wire::get(in, fields), ...); });
  }
};

// Bytes that `value` takes.
template <class T>
std::size_t encoded_size(const T& value) {
  Encoder dry{{}};
  put(dry, value);
  return dry.size();
}

template <class T>
std::vector<std::byte> encode(const T& value) {
  std::vector<std::byte> bytes(encoded_size(value));
  Encoder out{bytes};
  put(out, value);
  return bytes;
}

// Errors  protocol_error  too few bytes, too many, or a count that can not be true.
template <class T>
Result<T> decode(Bytes bytes) {
  Decoder in{bytes};
  T value{};
  get(in, value);
  if (!in.finished()) return Error(Errc::protocol_error, "malformed message");
  return value;
}

}  // namespace krg::wire
