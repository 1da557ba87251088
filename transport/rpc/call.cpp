#include "krg/rpc/call.h"

#include "krg/rpc/rpc.h"

namespace krg::rpc {

CallBase::CallBase(Rpc& rpc, NodeId to, ServiceId service, CallOptions options) noexcept
    : rpc_(rpc),
      deadline_(options.deadline),
      to_(to),
      service_(service),
      lane_(static_cast<std::uint8_t>(options.priority)) {
  if (options.key) {
    key_ = *options.key;
    flags_ |= 1;  // kKeyed
  }
}

void CallBase::set_bulk(Bulk bulk) noexcept {
  attach_ = std::move(bulk.attach);
  data_ = std::move(bulk.into);
}

CallBase::~CallBase() {
  if (id_ == 0) return;
  if (sent_) rpc_.send_cancel(*this);
  rpc_.forget(*this);
}

void CallBase::await_suspend(std::coroutine_handle<> caller) noexcept {
  handle = caller;
  start();
}

void CallBase::start() noexcept { rpc_.start(*this); }

void CallBase::on_timer() noexcept {
  if (sent_) rpc_.send_cancel(*this);
  finish(Error(Errc::timed_out).with_peer(to_));
}

void CallBase::finish(Error error) noexcept {
  if (error.code() == Errc::ok) {
    rpc_.sample_end(*this);
  } else {
    data_.reset();
    rpc_.count_failure(*this);
  }
  if (StreamCore* core = sent_ ? stream() : nullptr; core != nullptr) {
    core->on_closed(error.code() == Errc::ok ? Error(Errc::end_of_stream) : error);
  }
  rpc_.forget(*this);
  error_ = error;
  completed();
}

void CallBase::completed() noexcept { rpc_.reactor().schedule(*this); }

}  // namespace krg::rpc
