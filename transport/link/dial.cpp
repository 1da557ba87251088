#include "dial.h"

#include <algorithm>

namespace krg::link {
namespace {

constexpr Duration kPauseMin = std::chrono::milliseconds(10);
constexpr Duration kPauseMax = std::chrono::seconds(1);

// Whether asking there again can not help.
bool is_refusal(const Error& error) noexcept {
  switch (error.code()) {
    case Errc::auth_failed:
    case Errc::version_mismatch:
    case Errc::protocol_error:
    case Errc::stale:
    case Errc::not_found:
    case Errc::not_supported:
      return true;
    default:
      return false;
  }
}

}  // namespace

Dial::Dial(reactor::Reactor& reactor, DialOwner& owner, NodeId node, std::vector<Address> addresses,
           Deadline deadline, Duration attempt_limit)
    : reactor_(reactor),
      owner_(owner),
      node_(node),
      addresses_(std::move(addresses)),
      deadline_(deadline),
      attempt_limit_(attempt_limit),
      pause_(kPauseMin),
      last_error_(Errc::unreachable, "nobody answered") {
  // The first attempt is made from the reactor's loop, so that a failure is not told from within
  // connect().
  reactor_.add_timer(*this, Deadline(reactor_.now()));
}

Dial::~Dial() {
  if (attempt_) owner_.give_up(std::move(attempt_));
}

void Dial::stand_back() noexcept {
  standing_back_ = true;
  if (attempt_) owner_.give_up(std::move(attempt_));
}

void Dial::retry() noexcept {
  standing_back_ = false;
  if (!attempt_ && !linked()) sleep();
}

void Dial::on_timer() noexcept {
  if (attempt_ || standing_back_) return;
  if (addresses_.empty()) return fail(Error(Errc::invalid_argument, "no address to connect to"));
  if (deadline_.passed(reactor_.now())) return fail(refused_.value_or(last_error_));
  index_ = 0;
  refusals_ = 0;
  next();
}

void Dial::next() noexcept {
  while (index_ < addresses_.size()) {
    const Deadline limit(std::min(deadline_.at(), reactor_.now() + attempt_limit_));
    auto called = owner_.call(node_, addresses_[index_++], limit);
    if (called) {
      attempt_ = std::move(called).value();
      return;
    }
    if (called.error() == Errc::limit_reached) return fail(called.error());
    last_error_ = called.error();
  }
  // While one address has not answered, it may yet turn out to be the node's.
  if (refusals_ == addresses_.size()) return fail(*refused_);
  sleep();
}

void Dial::sleep() noexcept {
  const Deadline next(reactor_.now() + pause_);
  reactor_.add_timer(*this, std::min(next, deadline_));
  pause_ = std::min(pause_ * 2, kPauseMax);
}

void Dial::on_attempt_ended(Error why) noexcept {
  if (attempt_) owner_.give_up(std::move(attempt_));
  last_error_ = why;
  if (is_refusal(why)) {
    refused_ = why;
    ++refusals_;
  }
  if (deadline_.passed(reactor_.now())) return fail(refused_.value_or(why));
  next();
}

void Dial::fail(Error why) noexcept { owner_.on_dial_failed(*this, why.with_peer(node_)); }

}  // namespace krg::link
