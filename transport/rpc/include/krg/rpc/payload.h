// rpc/payload.h: something that can write itself into a frame, without its type.
//
// Model    borrows the value: it must outlive the Payload. A Payload may be encoded more than once.
// Threads  owned by one thread.
// Blocks   never.
// Source   docs/design/rpc.md, "Small messages"
#pragma once

#include "krg/wire/codec.h"

namespace krg::rpc {

class Payload {
 public:
  template <class T>
  static Payload of(const T& value) noexcept {
    return Payload([](const void* object,
                      wire::Encoder& out) { wire::put(out, *static_cast<const T*>(object)); },
                   &value);
  }
  // The bytes as they are.
  static Payload raw(const wire::Bytes& bytes) noexcept {
    return Payload(
        [](const void* object, wire::Encoder& out) {
          const auto& raw = *static_cast<const wire::Bytes*>(object);
          out.put_raw(raw.data(), raw.size());
        },
        &bytes);
  }

  using Encode = void (*)(const void*, wire::Encoder&);
  Payload(Encode encode, const void* object) noexcept : encode_(encode), object_(object) {}

  void encode(wire::Encoder& out) const { encode_(object_, out); }

 private:
  Encode encode_;
  const void* object_;
};

}  // namespace krg::rpc
