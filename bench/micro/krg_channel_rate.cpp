// krg_channel_rate: what channels add to rpc: messages one way, and there and back.

#include <chrono>
#include <memory>
#include <vector>

#include "krg/channel/channels.h"
#include "krg/harness/program.h"
#include "krg/reactor/clock.h"
#include "rpc_stage.h"
#include "services.h"

namespace krg::bench {
namespace {

using harness::Job;
using harness::Kind;
using harness::Sample;
using Clock = std::chrono::steady_clock;

constexpr const char* kBase =
    "the same loops in the same run without channels: rpc notices one way, rpc calls there and "
    "back";
// Messages between two calls that wait until they have come: what paces both sides alike.
constexpr std::uint64_t kBurst = 128;
constexpr std::size_t kHead = 32;
// Far beyond any run: a call that takes so long is a failure of the bench.
constexpr std::chrono::seconds kCallLimit{10};

struct Notice {
  static constexpr ServiceId kId{0x7f04};
  static constexpr const char* kName = "bench.notice";
  using Request = Blob;
  using Reply = wire::Empty;
};

// Serves, and sends bursts.
class OneWay : public RpcStage {
 public:
  using RpcStage::RpcStage;

  Result<Sample> measure(const Job& job) override {
    status_ = {};
    return job.kind == Kind::rate ? one_way(job) : there_and_back(job);
  }

 protected:
  void register_services() override {
    rpc().serve<Null>(
        [](rpc::Incoming&, wire::Empty&) -> Result<wire::Empty> { return wire::Empty{}; });
    rpc().serve<Echo>([](rpc::Incoming&, Blob& request) -> Result<Blob> { return request; });
    rpc().serve<Notice>([](rpc::Incoming&, Blob&) -> Result<wire::Empty> { return wire::Empty{}; });
  }
  virtual void send_one(std::size_t size) = 0;
  virtual Result<Sample> there_and_back(const Job& job) = 0;

  std::vector<std::byte> bytes_ = std::vector<std::byte>(std::size_t{1} << 20);
  Status status_;

 private:
  Result<Sample> one_way(const Job& job) {
    const Clock::time_point begin = Clock::now();
    Clock::time_point end = begin + job.length;
    std::uint64_t messages = 0;
    unsigned running = job.window;
    for (unsigned i = 0; i < job.window; ++i) {
      reactor().spawn(send_bursts(job.size, end, messages, running));
    }
    reactor().run();
    KRG_TRY(status_);
    const std::chrono::duration<double> took = Clock::now() - begin;
    return Sample{static_cast<double>(messages) / took.count(), 0};
  }
  Co<void> send_bursts(std::size_t size, Clock::time_point end, std::uint64_t& messages,
                       unsigned& running) {
    const wire::Empty nothing;
    while (status_ && Clock::now() < end) {
      for (std::uint64_t i = 0; i < kBurst; ++i) send_one(size);
      messages += kBurst;
      const auto reply = co_await rpc().call<Null>(other(), nothing,
                                                   {.deadline = rpc().reactor().after(kCallLimit)});
      if (!reply) status_ = reply.error();
    }
    if (--running == 0) reactor().stop();
  }
};

class ByRpc final : public OneWay {
 public:
  using OneWay::OneWay;

 private:
  void send_one(std::size_t size) override {
    const Blob blob{std::span(bytes_).first(size)};
    if (const Status sent = rpc().notify<Notice>(other(), blob); !sent) status_ = sent;
  }
  Result<Sample> there_and_back(const Job& job) override {
    harness::Latencies latencies;
    reactor().spawn(call(job, latencies));
    reactor().run();
    KRG_TRY(status_);
    return latencies.summary();
  }
  Co<void> call(Job job, harness::Latencies& latencies) {
    const Clock::time_point end = Clock::now() + job.length;
    const Blob blob{std::span(bytes_).first(job.size)};
    std::uint64_t from = reactor::ticks();
    while (status_ && Clock::now() < end) {
      const auto reply =
          co_await rpc().call<Echo>(other(), blob, {.deadline = rpc().reactor().after(kCallLimit)});
      if (!reply) status_ = reply.error();
      const std::uint64_t to = reactor::ticks();
      latencies.add(static_cast<double>(to - from) * 1e-3 / reactor::ticks_per_ns());
      from = to;
    }
    reactor().stop();
  }
};

class ByChannel final : public OneWay, private kddm::ChannelSink {
 public:
  using OneWay::OneWay;

 private:
  // A head's first byte: 0 take it, 1 send the like back, 2 it has come back.
  enum Mark : std::uint8_t { kTake, kReturn, kReturned };

  void register_services() override {
    OneWay::register_services();
    kddm::ChannelSink& sink = *this;
    channels_ = std::make_unique<kddm::Channels>(rpc(), sink);
    cluster::View view;
    view.epoch = Epoch{1};
    view.members.resize(2);
    for (std::uint32_t i = 0; i < 2; ++i) {
      view.members[i].node = NodeId{i};
      view.members[i].incarnation = Incarnation{1};
    }
    channels_->set_view(view);
  }
  void send(Mark mark, std::size_t head, std::size_t data) {
    bytes_[0] = static_cast<std::byte>(mark);
    channels_->send(other(), std::span(bytes_).first(head),
                    kddm::Data::shared(page_, std::span(*page_).first(data)));
  }
  void send_one(std::size_t size) override {
    bytes_[0] = std::byte{kTake};
    channels_->send(other(), std::span(bytes_).first(size));
  }
  void on_message(NodeId, Epoch, wire::Bytes head, kddm::Arrived data) override {
    const auto mark = static_cast<Mark>(head[0]);
    if (mark == kReturn) return send(kReturned, kHead, data.size());
    if (mark == kTake) return;
    const std::uint64_t to = reactor::ticks();
    latencies_->add(static_cast<double>(to - from_) * 1e-3 / reactor::ticks_per_ns());
    from_ = to;
    if (Clock::now() < end_) return send(kReturn, kHead, data.size());
    reactor().stop();
  }
  Result<Sample> there_and_back(const Job& job) override {
    harness::Latencies latencies;
    latencies_ = &latencies;
    end_ = Clock::now() + job.length;
    from_ = reactor::ticks();
    send(kReturn, kHead, job.size);
    reactor().run();
    return latencies.summary();
  }

  const std::shared_ptr<std::vector<std::byte>> page_ =
      std::make_shared<std::vector<std::byte>>(std::size_t{1} << 20);
  std::unique_ptr<kddm::Channels> channels_;  // Gone before the Rpc.
  harness::Latencies* latencies_ = nullptr;
  Clock::time_point end_;
  std::uint64_t from_ = 0;
};

}  // namespace
}  // namespace krg::bench

int main(int argc, char** argv) {
  using namespace krg;
  using bench::ByChannel, bench::ByRpc, harness::Kind, harness::Transport;
  harness::Program program("krg_channel_rate", bench::kBase);
  program.only_over({Transport::shm, Transport::tcp}, "it measures two processes");
  const harness::Settings& settings = program.parse(argc, argv);
  harness::Match match;
  match.entrants = {{"krg", [=] { return std::make_unique<ByChannel>(settings); }},
                    {"rpc", [=] { return std::make_unique<ByRpc>(settings); }}};
  for (const std::size_t size : program.sizes_or({64})) {
    match.rows.push_back({"one way", "1/s", {.kind = Kind::rate, .window = 4, .size = size}});
  }
  for (const std::size_t size : program.sizes_or({64, 4096, 65536})) {
    match.rows.push_back({"there and back", "us", {.kind = Kind::latency, .size = size}});
  }
  program.add(std::move(match));
  return program.run();
}
