#include "rpc_caller.h"

#include "krg/reactor/clock.h"
#include "services.h"

namespace krg::bench {
namespace {

using harness::Kind;

// Far beyond any run: a call that takes so long is a failure of the bench.
constexpr std::chrono::seconds kCallLimit{10};

void keep(void*, std::span<std::byte>) noexcept {}

}  // namespace

void serve_all(rpc::Rpc& rpc) {
  rpc.serve<Null>(
      [](rpc::Incoming&, wire::Empty&) -> Result<wire::Empty> { return wire::Empty{}; });
  rpc.serve<Echo>([](rpc::Incoming&, Blob& request) -> Result<Blob> { return request; });
  rpc.serve<Sink>(
      [](rpc::Incoming&, wire::Empty&) -> Result<wire::Empty> { return wire::Empty{}; });
}

void RpcCaller::begin(const harness::Job& job) {
  job_ = job;
  status_ = {};
  calls_ = 0;
  latencies_ = {};
  data_.assign(job.size + 8, std::byte{1});
  begin_ = Clock::now();
  end_ = begin_ + job.length;
  running_ = job.kind == Kind::latency ? 1 : job.window;
  for (unsigned i = 0; i < running_; ++i) {
    switch (job.kind) {
      case Kind::latency:
        rpc_.reactor().spawn(latency_loop());
        break;
      case Kind::rate:
        rpc_.reactor().spawn(rate_loop());
        break;
      case Kind::bandwidth:
        rpc_.reactor().spawn(bulk_loop());
        break;
    }
  }
}

void RpcCaller::done(Status status) noexcept {
  if (!status) status_ = status;
  if (--running_ > 0) return;
  end_ = Clock::now();
  if (stop_ != nullptr) stop_->stop();
}

// The raw peers' 8 bytes are a call without arguments here: its id takes more than that.
Co<void> RpcCaller::latency_loop() {
  const double us_per_tick = 1e-3 / reactor::ticks_per_ns();
  const auto length = static_cast<double>(job_.length.count()) * reactor::ticks_per_ns();
  std::uint64_t from = reactor::ticks();
  const std::uint64_t end = from + static_cast<std::uint64_t>(length);
  Status status;
  const wire::Empty nothing;
  const Blob blob{std::span(data_).first(job_.size)};
  while (from < end && status) {
    const rpc::CallOptions options{.deadline = rpc_.reactor().after(kCallLimit)};
    if (job_.size <= 8) {
      const auto reply = co_await rpc_.call<Null>(to_, nothing, options);
      if (!reply) status = reply.error();
    } else {
      const auto reply = co_await rpc_.call<Echo>(to_, blob, options);
      if (!reply) status = reply.error();
    }
    const std::uint64_t to = reactor::ticks();
    latencies_.add(static_cast<double>(to - from) * us_per_tick);
    from = to;
  }
  done(status);
}

Co<void> RpcCaller::rate_loop() {
  Status status;
  const wire::Empty nothing;
  while (status && (calls_ % 64 != 0 || Clock::now() < end_)) {
    ++calls_;
    const rpc::CallOptions options{.deadline = rpc_.reactor().after(kCallLimit)};
    const auto reply = co_await rpc_.call<Null>(to_, nothing, options);
    if (!reply) status = reply.error();
  }
  done(status);
}

Co<void> RpcCaller::bulk_loop() {
  Status status;
  const wire::Empty nothing;
  const std::span<std::byte> memory = std::span(data_).first(job_.size);
  while (status && Clock::now() < end_) {
    ++calls_;
    const rpc::CallOptions options{.deadline = rpc_.reactor().after(kCallLimit)};
    rpc::Buffer lent(memory, keep, nullptr);
    rpc::Bulk bulk(std::move(lent));
    const auto reply = co_await rpc_.call_data<Sink>(to_, nothing, options, std::move(bulk));
    if (!reply) status = reply.error();
  }
  done(status);
}

Result<harness::Sample> RpcCaller::result() {
  KRG_TRY(status_);
  if (job_.kind == Kind::latency) return latencies_.summary();
  const std::chrono::duration<double> took = end_ - begin_;
  const double rate = static_cast<double>(calls_) / took.count();
  if (job_.kind == Kind::rate) return harness::Sample{rate, 0};
  return harness::Sample{rate * static_cast<double>(job_.size) * 1e-6, 0};
}

}  // namespace krg::bench
