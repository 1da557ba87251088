#include "fetch_contestant.h"

#include <algorithm>
#include <vector>

#include "krg/reactor/clock.h"
#include "nodes.h"
#include "services.h"

namespace krg::bench {
namespace {

using harness::Baton;
using harness::Job;
using harness::Kind;
using harness::Meeting;
using harness::Sample;
using harness::Settings;
using harness::Side;
using Clock = std::chrono::steady_clock;

constexpr std::chrono::seconds kCallLimit{10};

void keep(void*, std::span<std::byte>) noexcept {}

class FetchContestant final : public harness::Contestant {
 public:
  FetchContestant(const Settings& settings, unsigned nodes) : nodes_(settings, nodes) {}

  Status open(Side side, Meeting& meeting) override {
    KRG_TRY(nodes_.open(side, meeting));
    nodes_.for_each([this](rpc::Rpc& rpc, kddm::Kddm&) { serve_fetch(rpc); });
    return {};
  }

  void serve(const Job& job, const Baton& baton) override {
    reserve(job);
    nodes_.serve(baton);
  }

  Result<Sample> measure(const Job& job) override {
    reserve(job);
    calls_ = 0;
    latencies_ = {};
    const auto begin = Clock::now();
    end_ = begin + job.length;
    std::vector<Co<Status>> loops;
    for (unsigned i = 0; i < (job.kind == Kind::latency ? 1 : job.window); ++i) {
      loops.push_back(loop(job));
    }
    KRG_TRY(nodes_.run(std::move(loops)));
    if (job.kind == Kind::latency) return latencies_.summary();
    const std::chrono::duration<double> took = Clock::now() - begin;
    const double rate = static_cast<double>(calls_) / took.count();
    return Sample{job.kind == Kind::rate ? rate : rate * static_cast<double>(job.reply) * 1e-6, 0};
  }

 private:
  void reserve(const Job& job) {
    places_ = job.places;
    const std::size_t bytes = job.reply * job.places;
    if (memory_.size() < bytes) memory_.assign(bytes, std::byte{1});
  }
  std::span<std::byte> place(std::size_t size) noexcept {
    return std::span(memory_).subspan(next_++ % places_ * size, size);
  }

  void serve_fetch(rpc::Rpc& rpc) {
    rpc.serve<Fetch>([this](rpc::Incoming& in, Fetch::Request& request) -> Result<wire::Empty> {
      if (request.bytes * places_ > memory_.size()) return Error(Errc::invalid_argument);
      in.attach(rpc::Buffer(place(request.bytes), keep, nullptr));
      return wire::Empty{};
    });
  }

  Co<Status> loop(Job job) {
    const double us_per_tick = 1e-3 / reactor::ticks_per_ns();
    const Fetch::Request request{job.reply};
    std::uint64_t from = reactor::ticks();
    while (calls_ % 16 != 0 || Clock::now() < end_) {
      ++calls_;
      const rpc::CallOptions options{.deadline = nodes_.reactor().after(kCallLimit)};
      rpc::Buffer into(place(job.reply), keep, nullptr);
      rpc::Bulk bulk({}, std::move(into));
      KRG_CO_TRY(
          co_await nodes_.rpc().call_data<Fetch>(NodeId{1}, request, options, std::move(bulk)));
      if (job.kind != Kind::latency) continue;
      const std::uint64_t to = reactor::ticks();
      latencies_.add(static_cast<double>(to - from) * us_per_tick);
      from = to;
    }
    co_return Status();
  }

  Nodes nodes_;
  std::vector<std::byte> memory_;
  std::size_t places_ = 1;
  std::size_t next_ = 0;
  std::uint64_t calls_ = 0;
  Clock::time_point end_;
  harness::Latencies latencies_;
};

}  // namespace

std::unique_ptr<harness::Contestant> fetch_contestant(const Settings& settings, unsigned nodes) {
  return std::make_unique<FetchContestant>(settings, nodes);
}

}  // namespace krg::bench
