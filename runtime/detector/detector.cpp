#include "krg/detector/detector.h"

#include <algorithm>
#include <utility>

#include "krg/base/assert.h"

namespace krg::detector {
namespace {

// A withdrawal is a report without charges. Three of them survive 1 % of loss but one time in a
// million, and even then a judge forgets within Options::memory.
constexpr unsigned kEmptyReports = 3;

// Spreads the nodes' ticks over the interval.
Duration phase(NodeId self, Duration interval) noexcept {
  const std::uint64_t spread = self.value * 0x9e3779b97f4a7c15u >> 32;
  return Duration(static_cast<Duration::rep>(spread * std::uint64_t(interval.count()) >> 32));
}

std::uint64_t stamp_of(TimePoint t) noexcept {
  return static_cast<std::uint64_t>(t.since_origin.count());
}

}  // namespace

Detector::Detector(const Options& options, NodeId self, DatagramPort& port, DetectorEvents& events)
    : options_(options), self_(self), port_(port), events_(events) {}

void Detector::set_view(TimePoint now, const Rings& rings, std::vector<NodeId> judges,
                        Aggregator* own) {
  KRG_ASSERT(rings.contains(self_));
  const bool first = rings_ == nullptr;
  rings_ = &rings;
  judge_ = own;
  judges_ = std::move(judges);
  incarnation_ = rings.incarnation(self_);
  empty_reports_left_ = 0;

  std::vector<Subject> subjects;
  for (const NodeId node : rings.subjects(self_)) {
    const Incarnation incarnation = rings.incarnation(node);
    const Subject* before = find(node);
    // One that was watched already keeps its age and what is held against it: a view change must
    // not postpone an accusation.
    if (before != nullptr && before->incarnation == incarnation) {
      subjects.push_back(*before);
    } else {
      subjects.push_back({.node = node, .incarnation = incarnation, .alive = now, .lost = now});
    }
  }
  subjects_ = std::move(subjects);
  for (const Subject& s : subjects_) {
    if (s.accused) events_.on_accusation(accusation_of(s));
  }
  if (first) due_ = now + phase(self_, options_.interval);
}

Detector::Subject* Detector::find(NodeId node) noexcept {
  for (Subject& subject : subjects_) {
    if (subject.node == node) return &subject;
  }
  return nullptr;
}

std::size_t Detector::accused() const noexcept {
  return static_cast<std::size_t>(std::count_if(subjects_.begin(), subjects_.end(),
                                                [](const Subject& s) { return s.accused; }));
}

Accusation Detector::accusation_of(const Subject& subject) const noexcept {
  return {subject.node, rings_->epoch(), subject.incarnation, subject.reason};
}

void Detector::tick(TimePoint now) {
  KRG_ASSERT(rings_ != nullptr);
  const bool late = excuse_lateness(now);
  bool changed = false;
  for (Subject& subject : subjects_) {
    if (late || subject.accused || now - subject.alive <= options_.patience) continue;
    accuse(subject, Reason::silent);
    changed = true;
  }
  if (changed || accused() > 0 || empty_reports_left_ > 0) report(now);
  for (const Subject& subject : subjects_) {
    send(subject.node, Probe{incarnation_, subject.incarnation, stamp_of(now)});
  }
  due_ = now + options_.interval;
}

// The Lifeguard rule. While this node did not run, it could not hear anybody: answers wait in its
// socket or were lost, and probes were not even sent.
bool Detector::excuse_lateness(TimePoint now) {
  const Duration lateness = now - due_;
  if (lateness <= options_.late) return false;
  ++late_ticks_;
  for (Subject& subject : subjects_) subject.alive = std::min(now, subject.alive + lateness);
  return true;
}

void Detector::accuse(Subject& subject, Reason reason) {
  subject.accused = true;
  subject.reason = reason;
  events_.on_accusation(accusation_of(subject));
}

void Detector::withdraw(Subject& subject) {
  subject.accused = false;
  empty_reports_left_ = kEmptyReports;
  events_.on_withdrawal(accusation_of(subject));
}

void Detector::report(TimePoint now) {
  Report report{rings_->epoch(), incarnation_, ++report_number_, {}};
  for (const Subject& s : subjects_) {
    if (s.accused) report.charges.push_back({s.node, s.incarnation, s.reason});
  }
  if (!report.charges.empty()) {
    empty_reports_left_ = kEmptyReports;
  } else if (empty_reports_left_ > 0) {
    --empty_reports_left_;
  }
  for (const NodeId judge : judges_) {
    if (judge != self_) {
      send(judge, report);
    } else if (judge_ != nullptr) {
      judge_->on_report(now, self_, report);
    }
  }
}

void Detector::send(NodeId to, const Message& message) { port_.send(to, encode(message)); }

void Detector::on_datagram(TimePoint now, NodeId from, Bytes bytes) {
  const auto message = decode(bytes);
  if (!message || rings_ == nullptr) {
    ++dropped_;
    return;
  }
  if (const auto* probe = std::get_if<Probe>(&*message)) return answer(from, *probe);
  if (const auto* ack = std::get_if<Ack>(&*message)) return on_ack(now, from, *ack);
  if (const auto* told = std::get_if<Report>(&*message)) return on_report(now, from, *told);
  on_hint(now, from, std::get<Hint>(*message));
}

// Whatever view the observer has: nodes learn of a new one at different times.
void Detector::answer(NodeId from, const Probe& probe) {
  if (probe.subject != incarnation_) {
    ++dropped_;
    return;
  }
  send(from, Ack{probe});
}

void Detector::on_ack(TimePoint now, NodeId from, const Ack& ack) {
  Subject* subject = find(from);
  const Probe& probe = ack.probe;
  if (subject == nullptr || probe.observer != incarnation_ ||
      probe.subject != subject->incarnation || probe.stamp_ns > stamp_of(now)) {
    ++dropped_;
    return;
  }
  // It proves no more than that the subject lived when the probe was sent: an answer may be old.
  const TimePoint asked{Duration(static_cast<Duration::rep>(probe.stamp_ns))};
  subject->alive = std::max(subject->alive, asked);
  if (!subject->accused) return;
  const bool cleared = subject->reason == Reason::fabric
                           ? asked > subject->lost
                           : now - subject->alive <= options_.patience;
  if (!cleared) return;
  withdraw(*subject);
  report(now);
}

void Detector::on_report(TimePoint now, NodeId from, const Report& told) {
  if (judge_ == nullptr) {
    ++dropped_;
    return;
  }
  judge_->on_report(now, from, told);
}

void Detector::on_hint(TimePoint now, NodeId from, const Hint& hint) {
  Subject* subject = find(hint.charge.subject);
  if (subject == nullptr || hint.epoch != rings_->epoch() || !rings_->contains(from) ||
      hint.charge.incarnation != subject->incarnation) {
    ++dropped_;
    return;
  }
  if (subject->accused || now < subject->hinted) return;
  subject->hinted = now + options_.interval;
  events_.on_check_wanted(subject->node);
}

void Detector::on_fabric_error(TimePoint now, NodeId node) {
  if (rings_ == nullptr || node == self_ || !rings_->contains(node)) return;
  Subject* subject = find(node);
  if (subject != nullptr && subject->accused && subject->reason == Reason::fabric) return;
  if (subject != nullptr) {
    subject->lost = now;
    accuse(*subject, Reason::fabric);
    report(now);
  }
  const Hint hint{rings_->epoch(), {node, rings_->incarnation(node), Reason::fabric}};
  for (const NodeId observer : rings_->observers(node)) {
    if (observer != self_) send(observer, hint);
  }
}

}  // namespace krg::detector
