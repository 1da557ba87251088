// channel/data.h: the bulk bytes of a message to be sent: an object's contents, or none.
//
// Model    a value: bytes that are copied while send() runs, or immutable bytes with an owner,
//          which is kept until the receiver has them, so that neither sending nor sending again
//          copies them.
// Threads  owned by one thread; the last reference to an owner may go in the reactor's thread.
// Blocks   never.
// Source   docs/design/kddm.md, "Channels"
#pragma once

#include <memory>
#include <utility>

#include "krg/wire/codec.h"

namespace krg::kddm {

class Data {
 public:
  Data() = default;
  // Borrows `bytes` until send() returns. For short ones: what is not small is copied to the heap.
  static Data copied(wire::Bytes bytes) noexcept { return Data(nullptr, bytes); }
  // `bytes` do not change as long as `owner` or a copy of it lives.
  // Requires  owner != nullptr.
  static Data shared(std::shared_ptr<const void> owner, wire::Bytes bytes) noexcept {
    return Data(std::move(owner), bytes);
  }

  wire::Bytes bytes() const noexcept { return bytes_; }
  std::size_t size() const noexcept { return bytes_.size(); }
  // nullptr: the bytes are to be copied.
  std::shared_ptr<const void>& owner() noexcept { return owner_; }

 private:
  Data(std::shared_ptr<const void> owner, wire::Bytes bytes) noexcept
      : owner_(std::move(owner)), bytes_(bytes) {}

  std::shared_ptr<const void> owner_;
  wire::Bytes bytes_;
};

}  // namespace krg::kddm
