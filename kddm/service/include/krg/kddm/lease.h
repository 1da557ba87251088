// kddm/lease.h: the right to look at an object, or to change it, until it is given back.
//
// Model    owns one lease of this node on one object: of many readers, or of the one writer of the
//          cluster. While it lives the object can not be invalidated, so hold it briefly. Its
//          bytes stay valid until it ends, even if the object is removed meanwhile.
// Threads  the reactor's thread.
// Blocks   never.
// Source   Kerrighed kddm (get, grab, put); docs/design/kddm.md, "Service"
#pragma once

#include <cstddef>
#include <span>
#include <utility>

#include "krg/error/result.h"
#include "krg/kddm/block.h"
#include "krg/store/ids.h"

namespace krg::kddm {

class Service;
class Snapshot;
struct Set;

class Lease {
 public:
  Lease() = default;
  Lease(Lease&& other) noexcept
      : service_(std::exchange(other.service_, nullptr)),
        set_(other.set_),
        object_(other.object_),
        block_(std::move(other.block_)),
        writes_(other.writes_) {}
  Lease& operator=(Lease&& other) noexcept {
    if (this != &other) {
      put();
      service_ = std::exchange(other.service_, nullptr);
      set_ = other.set_;
      object_ = other.object_;
      block_ = std::move(other.block_);
      writes_ = other.writes_;
    }
    return *this;
  }
  ~Lease() { put(); }

  explicit operator bool() const noexcept { return service_ != nullptr; }
  ObjectId object() const noexcept { return object_; }
  bool writes() const noexcept { return writes_; }
  std::span<const std::byte> bytes() const noexcept { return block_.bytes(); }
  // Requires  writes().
  std::span<std::byte> writable() noexcept;
  // Changes the size; what was there stays as far as it fits, what is new is zero.
  // Requires  writes().
  // Errors  invalid_argument  the set's objects have a fixed size, or none this large;
  //         no_memory; no_space  the node is full
  //         lost  the lease was taken away, by a fault that is in the log
  Status resize(std::size_t size) noexcept;
  // Ends the lease now.
  void put() noexcept;

 private:
  friend class Service;
  friend Result<Snapshot> copy_on_write(Lease lease) noexcept;
  Lease(Service& service, Set& set, ObjectId object, Block block, bool writes) noexcept
      : service_(&service),
        set_(&set),
        object_(object),
        block_(std::move(block)),
        writes_(writes) {}

  Service* service_ = nullptr;
  Set* set_ = nullptr;
  ObjectId object_;
  Block block_;
  bool writes_ = false;
};

}  // namespace krg::kddm
