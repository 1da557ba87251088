#include "doorbell.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <cstring>

#include "shm_names.h"

namespace krg::ofi {
namespace {

constexpr std::size_t kPage = 4096;

// The abstract socket of a doorbell: a zero byte, then its name.
socklen_t socket_address(const std::string& name, sockaddr_un& into) noexcept {
  into = {};
  into.sun_family = AF_UNIX;
  std::memcpy(into.sun_path + 1, name.data(), name.size());
  return static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
}

Result<DoorbellPagePtr> map(int fd) {
  void* memory = ::mmap(nullptr, kPage, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (memory == MAP_FAILED) return errno_error(Errc::system_error, "mapping a doorbell");
  return DoorbellPagePtr(static_cast<DoorbellPage*>(memory));
}

}  // namespace

void DoorbellUnmap::operator()(DoorbellPage* page) const noexcept { ::munmap(page, kPage); }

Result<std::unique_ptr<Doorbell>> Doorbell::create() {
  KRG_TRY_ASSIGN(const std::string name, shm_name("bell"));
  std::unique_ptr<Doorbell> bell(new Doorbell);
  const UniqueFd file(::shm_open(name.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!file) return errno_error(Errc::system_error, "creating a doorbell");
  bell->name_ = name;
  if (::ftruncate(file.get(), kPage) != 0) {
    return errno_error(Errc::system_error, "sizing a doorbell");
  }
  KRG_TRY_ASSIGN(bell->page_, map(file.get()));
  bell->socket_.reset(::socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  sockaddr_un address;
  const socklen_t size = socket_address(name, address);
  if (!bell->socket_ ||
      ::bind(bell->socket_.get(), reinterpret_cast<const sockaddr*>(&address), size) != 0) {
    return errno_error(Errc::system_error, "binding a doorbell");
  }
  return bell;
}

Doorbell::~Doorbell() {
  if (!name_.empty()) ::shm_unlink(name_.c_str());
}

void Doorbell::fall_asleep() noexcept {
  page_->asleep.store(1, std::memory_order_relaxed);
  std::atomic_thread_fence(std::memory_order_seq_cst);
}

void Doorbell::awake() noexcept {
  page_->asleep.store(0, std::memory_order_relaxed);
  std::array<char, 64> rings;
  while (::recv(socket_.get(), rings.data(), rings.size(), MSG_DONTWAIT) > 0) continue;
}

Result<std::unique_ptr<PeerBell>> PeerBell::attach(const std::string& name, int socket) {
  const bool known = name.starts_with(kShmPrefix) && name.size() < 100 &&
                     name.find('/') == std::string::npos && name.find('\0') == std::string::npos;
  if (!known) return Error(Errc::invalid_argument, "not a doorbell");
  const UniqueFd file(::shm_open(name.c_str(), O_RDWR | O_CLOEXEC, 0));
  struct stat status {};
  if (!file || ::fstat(file.get(), &status) != 0) {
    return errno_error(Errc::system_error, "opening a peer's doorbell");
  }
  if (status.st_size < static_cast<off_t>(kPage)) {
    return Error(Errc::invalid_argument, "a doorbell without a page");
  }
  std::unique_ptr<PeerBell> bell(new PeerBell);
  bell->name_ = name;
  bell->socket_ = socket;
  KRG_TRY_ASSIGN(bell->page_, map(file.get()));
  return bell;
}

void PeerBell::wake() noexcept {
  if (page_->asleep.exchange(0) == 0) return;  // Somebody else has rung.
  sockaddr_un address;
  const socklen_t size = socket_address(name_, address);
  const char ring = 1;
  // A full socket wakes as well as one more ring does.
  ::sendto(socket_, &ring, 1, MSG_DONTWAIT | MSG_NOSIGNAL,
           reinterpret_cast<const sockaddr*>(&address), size);
}

}  // namespace krg::ofi
