#include "large.h"

#include <algorithm>
#include <cstring>

#include "krg/log/log.h"
#include "peer.h"

namespace krg::ofi {

void Incoming::receive(std::span<std::byte> into, fabric::Completion& done) {
  KRG_ASSERT(into.size() == size_ && done_ == nullptr);
  into_ = into;
  done_ = &done;
  if (cancelled_) return end(Error(Errc::cancelled, "the sender took it back"));
  if (!peer_.connected()) return end(Error(Errc::peer_down));
  if (is_inline()) {
    if (size_ != 0) std::memcpy(into.data(), inline_.data(), size_);
    peer_.finish(id_, Errc::ok);
    return end({});
  }
  if (parts_.empty()) {
    pull();
  } else {
    read_parts();
  }
}

void Incoming::discard() {
  if (!cancelled_ && peer_.connected()) peer_.finish(id_, Errc::ok);
  peer_.forget_incoming(id_);
}

bool Incoming::cancel() noexcept {
  if (done_ != nullptr || cancelled_) return false;
  cancelled_ = true;
  return true;
}

void Incoming::read_parts() {
  std::size_t at = 0;
  for (const PartRef& part : parts_) {
    auto& read = *reads_.emplace_back(std::make_unique<Read>(*this));
    read.local = into_.subspan(at, part.size);
    read.address = part.address;
    read.key = part.key;
    at += part.size;
  }
  reading_ = static_cast<unsigned>(reads_.size());
  // By index and count: the last read may end within start(), and this object with it.
  const std::size_t count = reads_.size();
  for (std::size_t i = 0; i < count; ++i) peer_.start(*reads_[i]);
}

void Incoming::read_done(int error) noexcept {
  read_failed_ |= error != 0;
  if (--reading_ > 0) return;
  if (!peer_.connected()) return;  // The end of the peer tells it.
  if (read_failed_) {
    // The provider can not after all, though the peer lives: it sends instead.
    KRG_DEBUG("ofi: reading from peer {} failed ({}): it sends", peer_.peer().node.value,
              fi_strerror(error));
    reads_.clear();
    return pull();
  }
  peer_.finish(id_, Errc::ok);
  end({});
}

void Incoming::pull() { peer_.post(Kind::pull, Transfer{id_, 0, 0}); }

bool Incoming::take(std::uint64_t at, std::span<const std::byte> data) noexcept {
  if (done_ == nullptr || at != got_ || data.size() > size_ - got_) return false;
  std::memcpy(into_.data() + at, data.data(), data.size());
  got_ += data.size();
  if (got_ == size_) {
    peer_.finish(id_, Errc::ok);
    end({});
  }
  return true;
}

void Incoming::fail(Error why) noexcept {
  if (done_ != nullptr) std::exchange(done_, nullptr)->on_complete(why);
}

void Incoming::end(Status status) noexcept {
  fabric::Completion* done = done_;
  peer_.forget_incoming(id_);
  done->on_complete(status);
}

}  // namespace krg::ofi
