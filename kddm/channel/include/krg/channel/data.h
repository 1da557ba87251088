// channel/data.h: the bulk bytes of a message: an object's contents, or none.
//
// Model    to be sent: bytes that are copied while send() runs, or immutable bytes with an owner,
//          which is kept until the receiver has them, so that neither sending nor sending again
//          copies them, unless many go together. As they arrive: bytes to be copied to where they
//          are to lie, or a buffer that may be kept.
// Threads  owned by one thread; the last reference to an owner may go in the reactor's thread.
// Blocks   never.
// Source   docs/design/kddm.md, "Channels"
#pragma once

#include <memory>
#include <utility>

#include "krg/rpc/buffer.h"
#include "krg/wire/codec.h"

namespace krg::kddm {

// Somebody who has bytes and counts who uses them.
class DataOwner {
 public:
  virtual void keep() noexcept = 0;
  // Once for each keep().
  virtual void let_go() noexcept = 0;

 protected:
  ~DataOwner() = default;
};

// A reference to one.
class DataRef {
 public:
  DataRef() = default;
  explicit DataRef(DataOwner& owner) noexcept : owner_(&owner) { owner.keep(); }
  DataRef(DataRef&& other) noexcept : owner_(std::exchange(other.owner_, nullptr)) {}
  DataRef& operator=(DataRef&& other) noexcept {
    if (this != &other) {
      reset();
      owner_ = std::exchange(other.owner_, nullptr);
    }
    return *this;
  }
  ~DataRef() { reset(); }

  explicit operator bool() const noexcept { return owner_ != nullptr; }
  DataOwner* get() const noexcept { return owner_; }
  void reset() noexcept {
    if (owner_ != nullptr) std::exchange(owner_, nullptr)->let_go();
  }

 private:
  DataOwner* owner_ = nullptr;
};

class Data {
 public:
  Data() = default;
  // Borrows `bytes` until send() returns. For short ones: what is not small is copied to the heap.
  static Data copied(wire::Bytes bytes) noexcept { return Data(DataRef(), bytes); }
  // `bytes` stay, and stay the same until they have arrived, as long as `owner` is kept.
  static Data shared(DataOwner& owner, wire::Bytes bytes) noexcept {
    return Data(DataRef(owner), bytes);
  }
  // The same for an owner of another kind. Cost: an allocation.
  static Data shared(std::shared_ptr<const void> owner, wire::Bytes bytes);

  wire::Bytes bytes() const noexcept { return bytes_; }
  std::size_t size() const noexcept { return bytes_.size(); }
  // None: the bytes are to be copied.
  DataRef& owner() noexcept { return owner_; }

 private:
  Data(DataRef owner, wire::Bytes bytes) noexcept : owner_(std::move(owner)), bytes_(bytes) {}

  DataRef owner_;
  wire::Bytes bytes_;
};

// What has arrived. Bytes without a buffer are valid until the sink returns or enters a view.
class Arrived {
 public:
  Arrived() = default;
  explicit Arrived(wire::Bytes bytes) noexcept : bytes_(bytes) {}
  explicit Arrived(rpc::Buffer buffer) noexcept : buffer_(std::move(buffer)) {
    bytes_ = buffer_.bytes();
  }

  wire::Bytes bytes() const noexcept { return bytes_; }
  std::size_t size() const noexcept { return bytes_.size(); }
  bool empty() const noexcept { return bytes_.empty(); }
  // They lie in a buffer of their own already.
  bool has_buffer() const noexcept { return !buffer_.empty(); }
  // The bytes in a buffer of their own. Empty, though they are not, if memory is exhausted.
  // Requires  once. Cost: a copy into a buffer of `pool`, if they have none.
  rpc::Buffer take(rpc::BufferPool& pool);

 private:
  rpc::Buffer buffer_;
  wire::Bytes bytes_;
};

}  // namespace krg::kddm
