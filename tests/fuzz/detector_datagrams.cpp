// The detector's datagrams: whatever can be read is written back as the same bytes, and a detector
// that gets any of it goes on.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <span>

#include "krg/detector/detector.h"

namespace {

using namespace krg;            // NOLINT
using namespace krg::detector;  // NOLINT

void check(bool condition) {
  if (!condition) std::abort();
}

struct Quiet final : DatagramPort, DetectorEvents, VerdictSink {
  void send(NodeId, Bytes bytes) noexcept override { check(decode(bytes).has_value()); }
  void deliver_to(DatagramSink*) noexcept override {}
  void on_accusation(const Accusation&) noexcept override {}
  void on_withdrawal(const Accusation&) noexcept override {}
  void on_check_wanted(NodeId) noexcept override {}
  void on_verdict(const Verdict&) noexcept override {}
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const Bytes input = std::as_bytes(std::span(data, size));
  if (const auto message = decode(input)) {
    const auto again = encode(*message);
    check(std::equal(again.begin(), again.end(), input.begin(), input.end()));
  }

  cluster::View view;
  view.epoch = Epoch{1};
  for (std::uint32_t n = 0; n < 4; ++n) {
    view.members.push_back({NodeId{n}, Incarnation{1}, {}, {}});
  }
  const Rings rings(view);
  Quiet quiet;
  Aggregator judge({}, quiet);
  judge.set_view(rings);
  Detector detector({}, NodeId{0}, quiet, quiet);
  TimePoint now{std::chrono::seconds(1)};
  detector.set_view(now, rings, {NodeId{0}}, &judge);
  // Datagrams of one byte of length each, a tick after each of them.
  Bytes left = input;
  while (left.size() > 1) {
    const auto length = std::min<std::size_t>(std::to_integer<unsigned>(left[0]), left.size() - 1);
    detector.on_datagram(now, NodeId{std::uint32_t(length % 5)}, left.subspan(1, length));
    left = left.subspan(1 + length);
    now = std::max(now, detector.due());
    detector.tick(now);
  }
  return 0;
}
