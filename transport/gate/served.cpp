#include "krg/gate/served.h"

#include "krg/reactor/clock.h"

namespace krg::gate {
namespace {

constexpr std::uint64_t kSampleInterval = 8;
// In the order of Served::Index.
constexpr stats::CounterName kNames[] = {
    {"count", ""}, {"failed", ""}, {"bytes_in", "B"}, {"bytes_out", "B"}};

}  // namespace

Served::Served(stats::Registry& registry, const char* name)
    : registry_(registry),
      name_(std::string("gate.") + name + ".served"),
      counters_(registry.counters(name_, kNames)) {}

std::uint64_t Served::begun(std::size_t request_bytes) noexcept {
  const bool timed = counters_[kCount].value() % kSampleInterval == 0;
  counters_[kCount].add();
  counters_[kIn].add(request_bytes);
  return timed ? reactor::ticks() : 0;
}

void Served::answered(std::uint64_t begun, std::size_t reply_bytes) {
  counters_[kOut].add(reply_bytes);
  if (begun == 0) return;
  if (latency_ == nullptr) latency_ = &registry_.histogram(name_ + ".latency");
  latency_->record(static_cast<std::uint64_t>(static_cast<double>(reactor::ticks() - begun) /
                                              reactor::ticks_per_ns()));
}

}  // namespace krg::gate
