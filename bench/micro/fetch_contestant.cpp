#include "fetch_contestant.h"

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
// What rpc's batches hold with room to spare.
constexpr std::size_t kInReply = 8000;

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
      loops.push_back(job.reply <= kInReply ? short_loop(job) : bulk_loop(job));
    }
    KRG_TRY(nodes_.run(std::move(loops)));
    if (job.kind == Kind::latency) return latencies_.summary();
    const std::chrono::duration<double> took = Clock::now() - begin;
    const double rate = static_cast<double>(calls_) / took.count();
    return Sample{job.kind == Kind::rate ? rate : rate * static_cast<double>(job.reply) * 1e-6, 0};
  }

 private:
  void reserve(const Job& job) {
    if (memory_.size() < job.reply) memory_.assign(job.reply, std::byte{1});
  }

  void serve_fetch(rpc::Rpc& rpc) {
    rpc.serve<Fetch>([this](rpc::Incoming& in, Fetch::Request& request) -> Result<Blob> {
      if (request.bytes > memory_.size()) return Error(Errc::invalid_argument);
      const std::span<std::byte> bytes = std::span(memory_).first(request.bytes);
      if (request.bytes <= kInReply) return Blob{bytes};
      in.attach(rpc::Buffer(bytes, keep, nullptr));
      return Blob{};
    });
  }

  Co<Status> short_loop(Job job) {
    const double us_per_tick = 1e-3 / reactor::ticks_per_ns();
    const Fetch::Request request{job.reply};
    std::uint64_t from = reactor::ticks();
    while (calls_ % 16 != 0 || Clock::now() < end_) {
      ++calls_;
      const rpc::CallOptions options{.deadline = nodes_.reactor().after(kCallLimit)};
      KRG_CO_TRY(co_await nodes_.rpc().call<Fetch>(NodeId{1}, request, options));
      if (job.kind != Kind::latency) continue;
      const std::uint64_t to = reactor::ticks();
      latencies_.add(static_cast<double>(to - from) * us_per_tick);
      from = to;
    }
    co_return Status();
  }

  // All into one place, as the raw peers have it.
  Co<Status> bulk_loop(Job job) {
    const Fetch::Request request{job.reply};
    while (Clock::now() < end_) {
      ++calls_;
      const rpc::CallOptions options{.deadline = nodes_.reactor().after(kCallLimit)};
      const std::span<std::byte> place = std::span(memory_).first(job.reply);
      rpc::Buffer into(place, keep, nullptr);
      rpc::Bulk bulk({}, std::move(into));
      KRG_CO_TRY(
          co_await nodes_.rpc().call_data<Fetch>(NodeId{1}, request, options, std::move(bulk)));
    }
    co_return Status();
  }

  Nodes nodes_;
  std::vector<std::byte> memory_;
  std::uint64_t calls_ = 0;
  Clock::time_point end_;
  harness::Latencies latencies_;
};

}  // namespace

std::unique_ptr<harness::Contestant> fetch_contestant(const Settings& settings, unsigned nodes) {
  return std::make_unique<FetchContestant>(settings, nodes);
}

}  // namespace krg::bench
