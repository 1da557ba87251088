// Views and ports for the detector's unit tests.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "krg/cluster/view.h"
#include "krg/detector/detector.h"

namespace krg::detector::testing {

// Nodes 0 ... count-1 in incarnation `life`.
inline cluster::View view_of(std::uint32_t count, std::uint32_t epoch = 1, std::uint32_t life = 1) {
  cluster::View view;
  view.epoch = Epoch{epoch};
  for (std::uint32_t n = 0; n < count; ++n) {
    view.members.push_back({NodeId{n}, Incarnation{life}, {}, {}});
  }
  return view;
}

struct Sent {
  NodeId to;
  Message message;
};

// Keeps what is sent.
struct RecordingPort final : DatagramPort {
  void send(NodeId to, Bytes bytes) noexcept override { sent.push_back({to, *decode(bytes)}); }
  void deliver_to(DatagramSink* s) noexcept override { sink = s; }

  template <class T>
  std::vector<std::pair<NodeId, T>> take() {
    std::vector<std::pair<NodeId, T>> found;
    for (const Sent& s : std::exchange(sent, {})) {
      if (const T* m = std::get_if<T>(&s.message)) found.emplace_back(s.to, *m);
    }
    return found;
  }

  std::vector<Sent> sent;
  DatagramSink* sink = nullptr;
};

struct RecordingEvents final : DetectorEvents, VerdictSink {
  void on_accusation(const Accusation& a) noexcept override { accused.push_back(a); }
  void on_withdrawal(const Accusation& a) noexcept override { withdrawn.push_back(a); }
  void on_check_wanted(NodeId subject) noexcept override { checks.push_back(subject); }
  void on_verdict(const Verdict& v) noexcept override { verdicts.push_back(v); }

  std::vector<Accusation> accused;
  std::vector<Accusation> withdrawn;
  std::vector<NodeId> checks;
  std::vector<Verdict> verdicts;
};

}  // namespace krg::detector::testing
