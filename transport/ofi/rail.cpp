#include "rail.h"

#include <array>
#include <bit>

#include "krg/log/log.h"
#include "rail_buffer.h"

namespace krg::ofi {
namespace {

Rail::Post outcome(ssize_t status) noexcept {
  if (status == 0) return Rail::Post::done;
  return status == -FI_EAGAIN ? Rail::Post::busy : Rail::Post::failed;
}

}  // namespace

Rail::Post Rail::inject(fi_addr_t to, std::span<const std::byte> data) noexcept {
  return outcome(fi_inject(ep_.get(), data.data(), data.size(), to));
}

Rail::Post Rail::send(fi_addr_t to, std::span<const std::byte> data,
                      Operation& operation) noexcept {
  return outcome(fi_send(ep_.get(), data.data(), data.size(), nullptr, to, &operation.reserved));
}

Rail::Post Rail::read(fi_addr_t from, std::span<std::byte> into, std::uint64_t address,
                      std::uint64_t key, Operation& operation) noexcept {
  return outcome(fi_read(ep_.get(), into.data(), into.size(), nullptr, from, address, key,
                         &operation.reserved));
}

Rail::Post Rail::write(fi_addr_t to, std::span<const std::byte> data, std::uint64_t address,
                       std::uint64_t key, Operation& operation) noexcept {
  const iovec local{const_cast<std::byte*>(data.data()), data.size()};
  const fi_rma_iov remote{address, data.size(), key};
  fi_msg_rma message{};
  message.msg_iov = &local;
  message.iov_count = 1;
  message.addr = to;
  message.rma_iov = &remote;
  message.rma_iov_count = 1;
  message.context = &operation.reserved;
  // With shm the copy is over before this returns; asking for delivery would cost a turn of the
  // peer.
  const std::uint64_t delivery = kind_ == RailKind::shm ? 0 : FI_DELIVERY_COMPLETE;
  return outcome(fi_writemsg(ep_.get(), &message, FI_COMPLETION | delivery));
}

void Rail::post_receive(Buffer& buffer) noexcept {
  const iovec vector{buffer.bytes.data(), buffer.bytes.size()};
  fi_msg message{};
  message.msg_iov = &vector;
  message.iov_count = 1;
  message.addr = FI_ADDR_UNSPEC;
  message.context = &buffer.reserved;
  buffer.posted = fi_recvmsg(ep_.get(), &message, FI_MULTI_RECV) == 0;
  starving_ |= !buffer.posted;
}

void Rail::post_waiting() noexcept {
  starving_ = false;
  for (const auto& buffer : buffers_) {
    if (!buffer->posted) post_receive(*buffer);
  }
}

void Rail::arrived(const fi_cq_data_entry& entry) noexcept {
  if ((entry.flags & FI_RECV) != 0 && entry.len > 0 && entry.buf != nullptr) {
    sink_.on_packet({static_cast<const std::byte*>(entry.buf), entry.len});
  }
  if ((entry.flags & FI_MULTI_RECV) != 0) {
    post_receive(*reinterpret_cast<Buffer*>(entry.op_context));
  } else if ((entry.flags & FI_RECV) == 0 && entry.op_context != nullptr) {
    auto& operation = *reinterpret_cast<Operation*>(entry.op_context);
    operation.done(operation, 0);
  }
}

bool Rail::poll() noexcept {
  // A buffer that is full holds 32 messages at least; its completions are handled before it is
  // posted again, because they are read in order.
  std::array<fi_cq_data_entry, 32> entries;
  const ssize_t n = fi_cq_read(cq_.get(), entries.data(), entries.size());
  if (n > 0) {
    for (ssize_t i = 0; i < n; ++i) arrived(entries[static_cast<std::size_t>(i)]);
    if (starving_) post_waiting();
    return true;
  }
  return n == -FI_EAVAIL && read_error();
}

bool Rail::read_error() noexcept {
  fi_cq_err_entry error{};
  if (fi_cq_readerr(cq_.get(), &error, 0) != 1) return false;
  for (const auto& buffer : buffers_) {
    if (error.op_context != &buffer->reserved) continue;
    // A message that did not fit, or a provider that drops the buffer with a connection.
    KRG_DEBUG("ofi: a receive failed: {}", fi_strerror(error.err));
    if ((error.flags & FI_MULTI_RECV) != 0) post_receive(*buffer);
    return true;
  }
  // An injected message has no context: the link tells of the peer's death.
  if (error.op_context == nullptr) return true;
  auto& operation = *reinterpret_cast<Operation*>(error.op_context);
  operation.done(operation, error.err == 0 ? FI_EIO : error.err);
  return true;
}

bool Rail::can_sleep() noexcept {
  if (wait_fd_ < 0) return true;
  fid* cq = &cq_->fid;
  return fi_trywait(fabric_.get(), &cq, 1) == 0;
}

}  // namespace krg::ofi
