#include "krg/detector/detector.h"

#include <algorithm>
#include <array>
#include <utility>

namespace krg::detector {
namespace {

// More at once means that half the cluster has gone; silence will tell the rest.
constexpr std::size_t kProbingMax = 64;

}  // namespace

Detector::Detector(Peer self, const DetectorOptions& options, DatagramPort& port,
                   AccusationSink& sink, std::uint64_t phase, TimePoint now)
    : self_(self), options_(options), port_(port), sink_(sink) {
  const auto period = static_cast<std::uint64_t>(options_.period.count());
  next_beat_ = now + Duration(static_cast<std::int64_t>(phase % period));
}

void Detector::watch(std::vector<Peer> observers, const std::vector<Peer>& subjects,
                     TimePoint now) {
  observers_ = std::move(observers);
  std::vector<Subject> watched;
  watched.reserve(subjects.size());
  for (const Peer& peer : subjects) {
    const Subject* const before = find(peer.node);
    const bool same = before != nullptr && before->peer == peer;
    watched.push_back(same ? *before : Subject{peer, now, 0, false});
  }
  std::sort(watched.begin(), watched.end(),
            [](const Subject& a, const Subject& b) { return a.peer.node < b.peer.node; });
  subjects_ = std::move(watched);
}

Detector::Subject* Detector::find(NodeId node) noexcept {
  const auto at =
      std::lower_bound(subjects_.begin(), subjects_.end(), node,
                       [](const Subject& subject, NodeId id) { return subject.peer.node < id; });
  return at != subjects_.end() && at->peer.node == node ? &*at : nullptr;
}

void Detector::send(Kind kind, const Peer& to) {
  std::array<std::byte, kDatagramMax> bytes;
  wire::Encoder out{bytes};
  wire::put(out, Datagram{kind, self_, to, ++sequence_});
  ++sent_;
  port_.send(to.node, wire::Bytes(bytes).first(out.size()));
}

void Detector::on_datagram(wire::Bytes datagram, TimePoint now) {
  wire::Decoder in{datagram};
  Datagram message;
  wire::get(in, message);
  // Of an earlier life of ours, or not ours at all: nothing to be learnt.
  if (!in.finished() || message.to != self_ || message.from.node == self_.node) return;
  std::erase_if(probing_, [&](const Probing& p) { return p.peer == message.from; });
  Subject* const subject = find(message.from.node);
  if (subject != nullptr && subject->peer == message.from && message.sequence > subject->sequence) {
    subject->sequence = message.sequence;
    subject->heard = now;
    if (std::exchange(subject->accused, false)) sink_.accuse(subject->peer, Evidence::well);
  }
  if (message.kind == Kind::probe) send(Kind::beat, message.from);
}

void Detector::on_refused(NodeId node) {
  for (const Probing& probing : probing_) {
    if (probing.peer.node != node) continue;
    const Peer peer = probing.peer;
    std::erase_if(probing_, [&](const Probing& p) { return p.peer == peer; });
    return sink_.accuse(peer, Evidence::ended);
  }
  if (Subject* const subject = find(node)) return sink_.accuse(subject->peer, Evidence::ended);
  for (const Peer& observer : observers_) {
    if (observer.node == node) return sink_.accuse(observer, Evidence::ended);
  }
}

void Detector::probe(const Peer& peer, TimePoint now) {
  if (peer.node == self_.node || probing_.size() >= kProbingMax) return;
  for (const Probing& probing : probing_) {
    if (probing.peer == peer) return;
  }
  probing_.push_back({peer, options_.probes, now});
  run_probes(now);
}

void Detector::run_probes(TimePoint now) {
  // By value and in two steps: a port may answer from within send().
  std::vector<Peer> due;
  for (Probing& probing : probing_) {
    if (probing.next > now) continue;
    if (probing.left-- > 0) due.push_back(probing.peer);
    probing.next = now + options_.probe_interval;
  }
  std::erase_if(probing_, [](const Probing& p) { return p.left > kProbingMax; });
  for (const Peer& peer : due) send(Kind::probe, peer);
}

void Detector::on_timer(TimePoint now) {
  if (!probing_.empty()) run_probes(now);
  if (now >= next_beat_) beat(now);
}

void Detector::beat(TimePoint now) {
  const Duration late = now - next_beat_;
  next_beat_ = now + options_.period;
  // A quarter of a period is more than any healthy reactor is late.
  if (late > options_.period / 4) forgive(late, now);
  for (const Peer& observer : observers_) send(Kind::beat, observer);
  check_subjects(now);
}

void Detector::forgive(Duration late, TimePoint now) noexcept {
  for (Subject& subject : subjects_) {
    subject.heard = std::min(now, subject.heard + late + options_.period);
    if (std::exchange(subject.accused, false)) sink_.accuse(subject.peer, Evidence::well);
  }
}

void Detector::check_subjects(TimePoint now) {
  for (std::size_t i = 0; i < subjects_.size(); ++i) {
    Subject& subject = subjects_[i];
    const Duration silence = now - subject.heard;
    if (silence > options_.timeout) {
      subject.accused = true;
      sink_.accuse(subject.peer, Evidence::silent);
    }
    if (silence > options_.timeout / 2) send(Kind::probe, subject.peer);
  }
}

TimePoint Detector::next() const noexcept {
  TimePoint at = next_beat_;
  for (const Probing& probing : probing_) at = std::min(at, probing.next);
  return at;
}

}  // namespace krg::detector
