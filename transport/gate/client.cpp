#include "krg/gate/client.h"
#include "krg/base/spin_pause.h"

#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>
#include <deque>
#include <thread>
#include <vector>

#include "deadline.h"
#include "fd_passing.h"
#include "krg/gate/lane.h"
#include "krg/reactor/clock.h"
#include "krg/shm/futex.h"
#include "krg/shm/segment.h"
#include "unix_socket.h"

namespace krg::gate {
namespace {

// How long a sleeper trusts that krgd lives before it looks.
constexpr std::chrono::milliseconds kLookAfter{100};
// After so many spins in vain the next calls sleep at once, until one tries again.
constexpr unsigned kVainSpinsMax = 4;
constexpr unsigned kCallsWithoutSpin = 64;
// A slot that carried more gives its memory back.
constexpr std::uint32_t kAreaKept = 256u << 10;

Deadline after(Duration timeout) noexcept {
  const TimePoint now = shm::monotonic_now();
  if (timeout >= Duration::max() - now.since_origin) return Deadline::never();
  return Deadline(now + timeout);
}

// Waits until `fd` can be read, or written.
Status wait_for(int fd, short events, Deadline deadline) {
  for (;;) {
    const Duration left = deadline.at() - shm::monotonic_now();
    if (left <= Duration::zero()) return Error(Errc::timed_out, "attaching to krgd");
    const auto ms = std::chrono::ceil<std::chrono::milliseconds>(left).count();
    pollfd item{fd, events, 0};
    const int n = ::poll(&item, 1, static_cast<int>(std::min<std::int64_t>(ms, 3'600'000)));
    if (n > 0) return {};
    if (n < 0 && errno != EINTR) return errno_error(Errc::system_error, "poll");
  }
}

Result<UniqueFd> connect_until(const std::string& path, Deadline deadline) {
  for (;;) {
    auto fd = connect_to(path);
    if (fd || fd.error() != Errc::would_block) return fd;
    // The queue of those who want to connect is full; nothing tells when it is not.
    if (deadline.passed(shm::monotonic_now())) return Error(Errc::timed_out, "connecting to krgd");
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

// The frames of the handshake, which the task exchanges before it has a lane.
class Handshake {
 public:
  Handshake(int fd, Deadline deadline) : fd_(fd), deadline_(deadline) {}

  // Greets and asks for a lane: its descriptors.
  Result<std::deque<UniqueFd>> attach() {
    FrameHeader hello;
    hello.call = kMagic;
    hello.code = kVersion;
    FrameHeader request;
    request.kind = FrameKind::request;
    request.code = kAttach.value;
    request.word = kNoTimeout;
    const std::array<FrameHeader, 2> both = {hello, request};
    // A fresh socket takes this whole.
    if (::send(fd_, both.data(), sizeof both, MSG_NOSIGNAL) != sizeof both) {
      return errno_error(Errc::peer_down, "greeting krgd");
    }
    KRG_TRY_ASSIGN(const FrameHeader greeting, receive());
    if (greeting.kind != FrameKind::hello || greeting.call != kMagic) {
      return Error(Errc::protocol_error, "gate: not a server of ours");
    }
    if (greeting.code != kVersion) return Error(Errc::version_mismatch, "krgd's gate");
    KRG_TRY_ASSIGN(const FrameHeader reply, receive());
    if (reply.kind != FrameKind::reply || reply.size != 0) {
      return Error(Errc::protocol_error, "gate: not the reply to attach");
    }
    if (reply.code != 0) return error_of(reply);
    if (fds_.size() != 3) return Error(Errc::protocol_error, "gate: attach gave no lane");
    return std::move(fds_);
  }

 private:
  // One frame without a body.
  Result<FrameHeader> receive() {
    FrameHeader header;
    std::size_t got = 0;
    while (got < sizeof header) {
      iovec part{reinterpret_cast<std::byte*>(&header) + got, sizeof header - got};
      FdControl control{};
      msghdr message{};
      message.msg_iov = &part;
      message.msg_iovlen = 1;
      message.msg_control = control.bytes.data();
      message.msg_controllen = control.bytes.size();
      const ssize_t n = ::recvmsg(fd_, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
      if (n > 0) {
        collect_fds(message, fds_);
        got += static_cast<std::size_t>(n);
      } else if (n == 0) {
        return Error(Errc::denied, "krgd closed the connection");
      } else if (errno == EAGAIN || errno == EINTR) {
        KRG_TRY(wait_for(fd_, POLLIN, deadline_));
      } else {
        return errno_error(Errc::peer_down, "attaching to krgd");
      }
    }
    return header;
  }

  const int fd_;
  const Deadline deadline_;
  std::deque<UniqueFd> fds_;
};

}  // namespace

class Client::Impl {
 public:
  Impl(UniqueFd socket, shm::Segment lane, shm::Segment status, UniqueFd bell, Duration spin)
      : socket_(std::move(socket)),
        bell_(std::move(bell)),
        segment_(std::move(lane)),
        status_(std::move(status)),
        spin_ticks_(spin_ticks(spin)) {}

  Lane& lane() noexcept { return *reinterpret_cast<Lane*>(segment_.bytes().data()); }
  Slot& slot(unsigned index) noexcept { return lane().slots[index]; }
  std::span<std::byte> area(unsigned index) noexcept {
    return segment_.bytes().subspan(kAreasAt + std::size_t{index} * kArgumentMax, kArgumentMax);
  }

  // Once krgd is gone it stays so: a new one is another connection.
  bool known_dead() const noexcept { return dead_.load(std::memory_order_relaxed); }
  bool connected() noexcept {
    if (!known_dead() && !still_open()) dead_.store(true, std::memory_order_relaxed);
    return !known_dead();
  }
  bool still_open() const noexcept {
    // krgd sends nothing after the handshake: what can be read is its end.
    pollfd item{socket_.get(), POLLIN | POLLRDHUP, 0};
    return ::poll(&item, 1, 0) == 0;
  }

  void ring_if_asleep() noexcept {
    const auto* page = reinterpret_cast<const StatusPage*>(status_.bytes().data());
    if (page->asleep.load() == 0) return;
    const std::uint64_t one = 1;
    [[maybe_unused]] const ssize_t n = ::write(bell_.get(), &one, sizeof one);
  }

  Result<unsigned> take_slot(Deadline deadline, bool may_wait);
  // Spins a while for `done`; true if it came.
  bool spin_for(const shm::FutexWord& state) noexcept;
  Status sleep_for(shm::FutexWord& state, Deadline deadline) noexcept;

 private:
  static std::uint64_t spin_ticks(Duration spin) noexcept {
    if (::sysconf(_SC_NPROCESSORS_ONLN) < 2) return 0;  // krgd can not run while we spin.
    return static_cast<std::uint64_t>(static_cast<double>(spin.count()) * reactor::ticks_per_ns());
  }
  bool try_take(unsigned& slot) noexcept;

  const UniqueFd socket_;
  const UniqueFd bell_;
  const shm::Segment segment_;
  const shm::Segment status_;
  const std::uint64_t spin_ticks_;
  std::atomic<bool> dead_{false};
  std::atomic<unsigned> vain_spins_{0};
  std::atomic<unsigned> no_spin_calls_{0};
};

bool Client::Impl::try_take(unsigned& slot) noexcept {
  std::uint64_t free = lane().free.load(std::memory_order_relaxed);
  while (free != 0) {
    if (lane().free.compare_exchange_weak(free, free & (free - 1), std::memory_order_acquire)) {
      slot = static_cast<unsigned>(std::countr_zero(free));
      return true;
    }
  }
  return false;
}

Result<unsigned> Client::Impl::take_slot(Deadline deadline, bool may_wait) {
  unsigned slot = 0;
  if (try_take(slot)) return slot;
  if (!may_wait) return Error(Errc::would_block, "all slots of the lane are taken");
  lane().waiting.fetch_add(1);
  Status status;
  for (;;) {
    const std::uint32_t freed = lane().freed.load();
    if (try_take(slot)) break;
    const TimePoint now = shm::monotonic_now();
    if (deadline.passed(now)) {
      status = Error(Errc::timed_out, "waiting for a free slot");
      break;
    }
    const Deadline look(std::min(deadline.at(), now + kLookAfter));
    if (shm::futex_wait(lane().freed, freed, look) == shm::Woken::timed_out && !connected()) {
      status = Error(Errc::peer_down, "krgd is gone");
      break;
    }
  }
  lane().waiting.fetch_sub(1);
  KRG_TRY(status);
  return slot;
}

bool Client::Impl::spin_for(const shm::FutexWord& state) noexcept {
  if (spin_ticks_ == 0) return false;
  // Where spinning did not help, somebody else needs our core, perhaps krgd: it is tried rarely
  // then.
  if (vain_spins_.load(std::memory_order_relaxed) >= kVainSpinsMax &&
      no_spin_calls_.fetch_add(1, std::memory_order_relaxed) % kCallsWithoutSpin != 0) {
    return false;
  }
  const std::uint64_t begin = reactor::ticks();
  do {
    for (int i = 0; i < 16; ++i) {
      if (state.load(std::memory_order_acquire) == static_cast<std::uint32_t>(SlotState::done)) {
        vain_spins_.store(0, std::memory_order_relaxed);
        return true;
      }
      spin_pause();
    }
  } while (reactor::ticks() - begin < spin_ticks_);
  vain_spins_.fetch_add(1, std::memory_order_relaxed);
  return false;
}

Status Client::Impl::sleep_for(shm::FutexWord& state, Deadline deadline) noexcept {
  constexpr auto kDone = static_cast<std::uint32_t>(SlotState::done);
  constexpr auto kSleeping = static_cast<std::uint32_t>(SlotState::sleeping);
  std::uint32_t seen = static_cast<std::uint32_t>(SlotState::pending);
  state.compare_exchange_strong(seen, kSleeping);
  while (state.load(std::memory_order_acquire) != kDone) {
    const TimePoint now = shm::monotonic_now();
    if (deadline.passed(now)) return Error(Errc::timed_out, "waiting for krgd");
    const Deadline look(std::min(deadline.at(), now + kLookAfter));
    if (shm::futex_wait(state, kSleeping, look) == shm::Woken::timed_out && !connected() &&
        state.load(std::memory_order_acquire) != kDone) {
      return Error(Errc::peer_down, "krgd is gone");
    }
  }
  return {};
}

Client::Client(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Client::~Client() = default;

Result<std::unique_ptr<Client>> Client::connect(const std::string& path, const Options& options) {
  const Deadline deadline = after(options.connect_timeout);
  KRG_TRY_ASSIGN(UniqueFd socket, connect_until(path, deadline));
  KRG_TRY_ASSIGN(std::deque<UniqueFd> fds, Handshake(socket.get(), deadline).attach());
  KRG_TRY_ASSIGN(shm::Segment lane, shm::Segment::adopt(std::move(fds[0]), kLaneSize));
  KRG_TRY_ASSIGN(shm::Segment status, shm::Segment::adopt(std::move(fds[1]), kStatusSize,
                                                          shm::Segment::Access::read_only));
  return std::unique_ptr<Client>(new Client(std::make_unique<Impl>(
      std::move(socket), std::move(lane), std::move(status), std::move(fds[2]), options.spin)));
}

bool Client::connected() const noexcept { return impl_->connected(); }

Result<unsigned> Client::acquire(std::size_t size, Duration timeout, bool may_wait) {
  if (impl_->known_dead()) return Error(Errc::peer_down, "krgd is gone");
  if (size > kArgumentMax)
    return Error(Errc::too_large, "a request through a lane is at most 1 MiB");
  return impl_->take_slot(after(timeout), may_wait);
}

std::span<std::byte> Client::request_room(unsigned slot, std::size_t size) noexcept {
  return size <= kInlineMax ? std::span<std::byte>(impl_->slot(slot).request.bytes)
                            : impl_->area(slot);
}

void Client::submit(unsigned slot, ServiceId service, std::size_t size, Duration timeout) noexcept {
  Slot& s = impl_->slot(slot);
  s.request.service = service.value;
  s.request.size = static_cast<std::uint32_t>(size);
  s.request.timeout_ns =
      timeout == Duration::max()
          ? kNoTimeout
          : static_cast<std::uint64_t>(std::max(timeout, Duration::zero()).count());
  s.reply.size = 0;
  s.reply.state.store(static_cast<std::uint32_t>(SlotState::pending), std::memory_order_relaxed);
  impl_->lane().submitted.fetch_or(std::uint64_t{1} << slot);
  impl_->ring_if_asleep();
}

Result<std::span<const std::byte>> Client::await(unsigned slot, Duration timeout) {
  ReplyBlock& reply = impl_->slot(slot).reply;
  if (!impl_->spin_for(reply.state)) KRG_TRY(impl_->sleep_for(reply.state, after(timeout)));
  if (reply.code != 0) {
    if (!is_errc(reply.code)) return Error(Errc::protocol_error, "gate: unknown error code");
    const Error error = Error(static_cast<Errc>(reply.code)).with_native(reply.native);
    return reply.peer == 0xffff ? error : error.with_peer(NodeId{reply.peer});
  }
  if (reply.size > kArgumentMax) return Error(Errc::protocol_error, "gate: reply too large");
  if (reply.size <= kInlineMax) return std::span<const std::byte>(reply.bytes).first(reply.size);
  return std::span<const std::byte>(impl_->area(slot)).first(reply.size);
}

bool Client::abandon(unsigned slot) noexcept {
  shm::FutexWord& state = impl_->slot(slot).reply.state;
  std::uint32_t seen = state.load();
  while (seen != static_cast<std::uint32_t>(SlotState::done)) {
    if (!state.compare_exchange_weak(seen, static_cast<std::uint32_t>(SlotState::abandoned))) {
      continue;
    }
    impl_->lane().given_up.fetch_or(std::uint64_t{1} << slot);
    impl_->ring_if_asleep();
    return true;
  }
  return false;
}

void Client::release(unsigned slot) noexcept {
  if (abandon(slot)) return;  // krgd frees the slot.
  const Slot& s = impl_->slot(slot);
  if (std::max(s.request.size, s.reply.size) > kAreaKept) {
    const std::span<std::byte> area = impl_->area(slot);
    ::madvise(area.data(), area.size(), MADV_REMOVE);
  }
  free_slot(impl_->lane(), slot);
}

Client::Ticket& Client::Ticket::operator=(Ticket&& other) noexcept {
  std::swap(client_, other.client_);
  std::swap(slot_, other.slot_);
  return *this;
}

Client::Ticket::~Ticket() {
  if (client_ != nullptr) client_->release(slot_);
}

bool Client::Ticket::ready(Duration timeout) const noexcept {
  shm::FutexWord& state = client_->impl_->slot(slot_).reply.state;
  const Status there = client_->impl_->sleep_for(state, after(timeout));
  return there || there.error() != Errc::timed_out;
}

bool Client::Ticket::give_up() noexcept {
  if (client_ != nullptr && !client_->abandon(slot_)) return false;
  client_ = nullptr;
  return true;
}

bool Client::Ticket::ready() const noexcept {
  return client_->impl_->slot(slot_).reply.state.load(std::memory_order_acquire) ==
         static_cast<std::uint32_t>(SlotState::done);
}

}  // namespace krg::gate
