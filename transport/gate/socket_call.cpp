#include "krg/gate/call.h"
#include "krg/gate/served.h"
#include "session.h"

namespace krg::gate {

Call::~Call() { KRG_ASSERT(!serving_); }

void Call::stop_serving() noexcept {
  if (serving_) std::exchange(serving_, nullptr).destroy();
}

void Call::count_begun(Served* served) noexcept {
  served_ = served;
  if (served_ != nullptr) begun_ = served_->begun(request_.size());
}

void Call::count_answered(std::size_t size) {
  if (served_ != nullptr) served_->answered(begun_, size);
}

void Call::count_failed() noexcept {
  if (served_ != nullptr) served_->failed();
}

SocketCall::SocketCall(Session& session, std::uint32_t id, std::vector<std::byte> request,
                       std::vector<UniqueFd> fds, Deadline deadline)
    : session_(session),
      id_(id),
      body_(std::move(request)),
      conversation_(session.host_.reactor(), session.connection_, id) {
  request_ = body_;
  fds_ = std::move(fds);
  deadline_ = deadline;
}

SocketCall::~SocketCall() { stop_serving(); }

const Caller& SocketCall::caller() const noexcept { return session_.caller(); }

Status SocketCall::pass(UniqueFd fd) {
  if (passed_.size() == kFdsMax) return Error(Errc::limit_reached, "at most 16 descriptors");
  passed_.push_back(std::move(fd));
  return {};
}

std::span<std::byte> SocketCall::room(std::size_t size) {
  if (size > kBodyMax) return {};
  reply_.resize(size);
  return reply_;
}

void SocketCall::serve(Handler& handler) {
  count_begun(handler.served);
  handler.handle(*this);
}

void SocketCall::complete(std::size_t size) {
  count_answered(size);
  answer(reply_header(id_, Error()), std::span<const std::byte>(reply_).first(size));
}

void SocketCall::fail(const Error& error) {
  count_failed();
  passed_.clear();
  answer(reply_header(id_, error), {});
}

void SocketCall::answer(const FrameHeader& header, std::span<const std::byte> body) {
  // A caller that is gone, or goes now, is the session's affair.
  static_cast<void>(session_.connection_.send(header, body, std::move(passed_)).has_value());
}

void SocketCall::finished() noexcept { session_.calls_.erase(id_); }

}  // namespace krg::gate
