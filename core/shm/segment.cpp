#include "krg/shm/segment.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

namespace krg::shm {
namespace {

Result<std::span<std::byte>> map(int fd, std::size_t size, Segment::Access access) {
  const int protection = access == Segment::Access::read_only ? PROT_READ : PROT_READ | PROT_WRITE;
  void* const address = ::mmap(nullptr, size, protection, MAP_SHARED, fd, 0);
  if (address == MAP_FAILED) return errno_error(Errc::no_memory, "mapping a shared segment");
  return std::span(static_cast<std::byte*>(address), size);
}

}  // namespace

Segment& Segment::operator=(Segment&& other) noexcept {
  if (this == &other) return *this;
  if (bytes_.data() != nullptr) ::munmap(bytes_.data(), bytes_.size());
  fd_ = std::move(other.fd_);
  bytes_ = std::exchange(other.bytes_, {});
  return *this;
}

Segment::~Segment() {
  if (bytes_.data() != nullptr) ::munmap(bytes_.data(), bytes_.size());
}

Result<Segment> Segment::create(const char* name, std::size_t size, Writers writers) {
  KRG_ASSERT(size > 0);
  UniqueFd fd(::memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!fd) return errno_error(Errc::system_error, "making a shared segment");
  if (::ftruncate(fd.get(), static_cast<off_t>(size)) != 0) {
    return errno_error(Errc::no_memory, "sizing a shared segment");
  }
  KRG_TRY_ASSIGN(const std::span<std::byte> bytes, map(fd.get(), size, Access::read_write));
  Segment segment(std::move(fd), bytes);
  int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
  // Our own mapping, made before the seal, stays writable.
  if (writers == Writers::creator) seals |= F_SEAL_FUTURE_WRITE;
  if (::fcntl(segment.fd(), F_ADD_SEALS, seals) != 0) {
    return errno_error(Errc::system_error, "sealing a shared segment");
  }
  return segment;
}

Result<Segment> Segment::adopt(UniqueFd fd, std::size_t size, Access access) {
  struct stat info {};
  if (::fstat(fd.get(), &info) != 0 || static_cast<std::size_t>(info.st_size) != size) {
    return Error(Errc::protocol_error, "a shared segment has not the size that was agreed");
  }
  const int seals = ::fcntl(fd.get(), F_GET_SEALS);
  if (seals < 0 || (seals & F_SEAL_SHRINK) == 0) {
    return Error(Errc::protocol_error, "a shared segment is not sealed");
  }
  KRG_TRY_ASSIGN(const std::span<std::byte> bytes, map(fd.get(), size, access));
  return Segment(std::move(fd), bytes);
}

}  // namespace krg::shm
