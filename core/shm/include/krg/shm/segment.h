// shm/segment.h: memory that processes of one node share.
//
// Model    a memfd of fixed size: sealed against shrinking and growing, so no other process can
//          make an access of ours fault. It starts as zeros and takes memory only where it is
//          touched. Whoever maps it may write anything at any time: what is read from it is outside
//          data.
// Threads  a Segment is owned by one thread; the memory is everybody's.
// Blocks   never.
// Source   memfd_create(2), F_ADD_SEALS in fcntl(2)
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

#include "krg/base/unique_fd.h"
#include "krg/error/result.h"

namespace krg::shm {

// The place of a T within a segment, as other processes can use it: each maps the segment
// elsewhere.
template <class T>
struct Offset {
  std::uint64_t value = 0;
  constexpr bool operator==(const Offset&) const = default;
};

class Segment {
 public:
  enum class Access { read_write, read_only };
  // everyone: who gets the descriptor may map it to write. creator: it may only be mapped to read.
  enum class Writers { everyone, creator };

  Segment() = default;
  Segment(Segment&& other) noexcept
      : fd_(std::move(other.fd_)), bytes_(std::exchange(other.bytes_, {})) {}
  Segment& operator=(Segment&& other) noexcept;
  ~Segment();

  // `name` is for /proc/<pid>/maps only.
  // Errors  system_error, no_memory
  static Result<Segment> create(const char* name, std::size_t size,
                                Writers writers = Writers::everyone);
  // Maps a segment that another process made.
  // Errors  protocol_error  it is not of `size` bytes, or not sealed: its maker could cut it under
  //         us.
  static Result<Segment> adopt(UniqueFd fd, std::size_t size, Access access = Access::read_write);

  explicit operator bool() const noexcept { return bytes_.data() != nullptr; }
  int fd() const noexcept { return fd_.get(); }
  std::span<std::byte> bytes() const noexcept { return bytes_; }

  // Where `offset` points; nullptr if `count` of T do not lie within the segment, or not aligned.
  template <class T>
  T* at(Offset<T> offset, std::size_t count = 1) const noexcept {
    if (offset.value > bytes_.size() || offset.value % alignof(T) != 0) return nullptr;
    if (count > (bytes_.size() - offset.value) / sizeof(T)) return nullptr;
    return reinterpret_cast<T*>(bytes_.data() + offset.value);
  }
  // Requires  `object` lies within the segment.
  template <class T>
  Offset<T> offset_of(const T* object) const noexcept {
    return {static_cast<std::uint64_t>(reinterpret_cast<const std::byte*>(object) - bytes_.data())};
  }

 private:
  Segment(UniqueFd fd, std::span<std::byte> bytes) noexcept : fd_(std::move(fd)), bytes_(bytes) {}

  UniqueFd fd_;
  std::span<std::byte> bytes_;
};

}  // namespace krg::shm
