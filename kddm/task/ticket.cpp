#include "krg/task/ticket.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "space_impl.h"

namespace krg::kddm {

template <class T>
class Ticket<T>::Impl {
 public:
  static constexpr bool kLeases = !std::is_void_v<T>;
  using Lease = std::conditional_t<kLeases, T, ReadLease>;

  Impl(Space::Impl& space, calls::Verb verb, const Use& use, gate::Client::Ticket ticket) noexcept
      : space_(space),
        call_(std::move(ticket)),
        subject_(Space::Impl::subject_of(verb, use)),
        end_(std::chrono::steady_clock::now() + use.timeout) {}
  // A hit.
  Impl(Space::Impl& space, Lease lease) noexcept : space_(space), lease_(std::move(lease)) {}
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;
  ~Impl() {
    // A call that is given up ends in krgd with what it may have been granted.
    if (!call_ || call_->give_up()) return;
    const auto reply = space_.client_->wait<calls::Use>(std::move(*call_), kGrace);
    if constexpr (kLeases) {
      if (reply) static_cast<void>(space_.adopt<T>(reply->grant));
    }
  }

  bool ready() const noexcept { return !call_ || call_->ready(); }
  bool ready(Duration timeout) const noexcept { return !call_ || call_->ready(timeout); }
  Duration left() const noexcept {
    const Duration left = end_ - std::chrono::steady_clock::now();
    return std::max<Duration>(left, Duration::zero()) + kGrace;
  }
  Outcome wait(Duration timeout) {
    if (!call_) return take_hit();
    if (!call_->ready(timeout)) {
      return about(subject_, Error(Errc::timed_out, "an operation that still goes on"));
    }
    const auto reply = space_.client_->wait<calls::Use>(*std::exchange(call_, {}), kGrace);
    if (!reply) return about(subject_, reply.error());
    if constexpr (kLeases) {
      return space_.adopt<T>(reply->grant);
    } else {
      return {};
    }
  }

 private:
  Outcome take_hit() noexcept {
    if constexpr (kLeases) {
      if (lease_) return std::exchange(lease_, T());
    }
    return Error(Errc::invalid_argument, "a ticket whose outcome was taken");
  }

  Space::Impl& space_;
  std::optional<gate::Client::Ticket> call_;  // None: it was a hit, or is over.
  Lease lease_;
  const Subject subject_ = Subject::object;
  const std::chrono::steady_clock::time_point end_;
};

template <class T>
Ticket<T>::Ticket(std::unique_ptr<Impl> impl) noexcept : impl_(std::move(impl)) {}
template <class T>
Ticket<T>::Ticket(Ticket&&) noexcept = default;
template <class T>
Ticket<T>& Ticket<T>::operator=(Ticket&&) noexcept = default;
template <class T>
Ticket<T>::~Ticket() = default;

template <class T>
bool Ticket<T>::ready() const noexcept {
  return impl_->ready();
}

template <class T>
bool Ticket<T>::ready(Duration timeout) const noexcept {
  return impl_->ready(timeout);
}

template <class T>
typename Ticket<T>::Outcome Ticket<T>::wait() {
  return impl_->wait(impl_->left());
}

template <class T>
typename Ticket<T>::Outcome Ticket<T>::wait(Duration timeout) {
  return impl_->wait(timeout);
}

template class Ticket<ReadLease>;
template class Ticket<WriteLease>;
template class Ticket<void>;

// --- What begins them ---------------------------------------------------------------------------

template <class T>
Result<Ticket<T>> Space::Impl::start(calls::Verb verb, SetId set, ObjectId object, const Use& use,
                                     NodeId to) {
  KRG_TRY_ASSIGN(auto call,
                 client_->start<calls::Use>(request(verb, set, object, use, to), use.timeout));
  return Ticket<T>(std::make_unique<typename Ticket<T>::Impl>(*this, verb, use, std::move(call)));
}

Result<Ticket<ReadLease>> Space::start_get(SetId set, ObjectId object, const Use& use) {
  KRG_TRY(check_read(use));
  ReadLease hit = impl_->store_->try_read(set, object);
  if (hit) {
    return Ticket<ReadLease>(std::make_unique<Ticket<ReadLease>::Impl>(*impl_, std::move(hit)));
  }
  impl_->count_miss(impl_->misses_.gets, hit.miss());
  return impl_->start<ReadLease>(calls::Verb::get, set, object, use);
}

Result<Ticket<WriteLease>> Space::start_grab(SetId set, ObjectId object, const Use& use) {
  WriteLease hit = impl_->store_->try_write(set, object);
  if (hit) {
    if (use.touch_bytes > 0) KRG_TRY(give_size(hit, use));
    return Ticket<WriteLease>(std::make_unique<Ticket<WriteLease>::Impl>(*impl_, std::move(hit)));
  }
  impl_->count_miss(impl_->misses_.grabs, hit.miss());
  return impl_->start<WriteLease>(calls::Verb::grab, set, object, use);
}

Result<Ticket<void>> Space::start_flush(SetId set, ObjectId object, NodeId to, const Use& use) {
  return impl_->start<void>(calls::Verb::flush, set, object, use, to);
}
Result<Ticket<void>> Space::start_sync(SetId set, ObjectId object, const Use& use) {
  return impl_->start<void>(calls::Verb::sync, set, object, use);
}
Result<Ticket<void>> Space::start_remove(SetId set, ObjectId object, const Use& use) {
  return impl_->start<void>(calls::Verb::remove, set, object, use);
}

}  // namespace krg::kddm
