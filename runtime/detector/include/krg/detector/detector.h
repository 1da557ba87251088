// detector/detector.h: one node's part in noticing failures.
//
// Model    a state machine without a thread, a clock or a socket; ticker.h gives it those. As an
//          observer it probes its subjects once an interval and accuses one whose last answered
//          probe is too old. Silence counts only while the observer itself ran: a tick that comes
//          late voids the accusations of that turn and its lateness is no subject's silence. As a
//          subject it answers probes. What it holds against others it reports to the judges, again
//          with every interval while it holds anything. It decides nothing.
// Threads  owned by one thread.
// Blocks   never.
// Source   Dadgar et al., "Lifeguard: local health awareness for more accurate failure detection",
//          DSN 2018; docs/design/hotplug.md
#pragma once

#include <vector>

#include "krg/detector/aggregator.h"
#include "krg/detector/messages.h"
#include "krg/detector/options.h"
#include "krg/detector/port.h"
#include "krg/detector/rings.h"

namespace krg::detector {

// What one observer holds against one life of a node.
struct Accusation {
  NodeId subject;
  Epoch epoch;
  Incarnation incarnation;
  Reason reason = Reason::silent;
  bool operator==(const Accusation&) const = default;
};

// Told in the turn in which it happens. May not call the detector back.
class DetectorEvents {
 public:
  virtual void on_accusation(const Accusation& accusation) noexcept = 0;
  virtual void on_withdrawal(const Accusation& accusation) noexcept = 0;
  // Somebody's fabric has lost `subject`: touch it over this node's own fabric, so that the fabric
  // tells us, too, if it is gone. At most once an interval for each subject.
  virtual void on_check_wanted(NodeId subject) noexcept = 0;

 protected:
  ~DetectorEvents() = default;
};

class Detector {
 public:
  // Requires  `port` and `events` outlive this.
  Detector(const Options& options, NodeId self, DatagramPort& port, DetectorEvents& events);

  // Starts with the members of `rings`, or goes on with those it watches already, whose
  // accusations are told anew under the new epoch; those of nodes that it no longer watches end
  // without a withdrawal. `own` is this node's judge, if it is one.
  // Requires  `rings` outlives the next call; self is a member; own is set if self is in `judges`.
  void set_view(TimePoint now, const Rings& rings, std::vector<NodeId> judges,
                Aggregator* own = nullptr);

  // To be called at due(). Cost: a datagram to each subject; one to each judge if there are
  // charges.
  void tick(TimePoint now);
  TimePoint due() const noexcept { return due_; }

  void on_datagram(TimePoint now, NodeId from, Bytes bytes);
  // The fabric says that `node` is gone. An observer accuses it at once; anybody tells the
  // observers, so that they look. Strangers are ignored.
  void on_fabric_error(TimePoint now, NodeId node);

  // Datagrams that could not be read, or that were for another life.
  std::uint64_t dropped() const noexcept { return dropped_; }
  // Ticks that came late.
  std::uint64_t late_ticks() const noexcept { return late_ticks_; }
  std::size_t accused() const noexcept;

 private:
  struct Subject {
    NodeId node;
    Incarnation incarnation;
    TimePoint alive;     // It certainly lived at this instant, or was given the benefit of doubt.
    TimePoint lost;      // When the fabric lost it; of an accusation by the fabric only.
    TimePoint hinted{};  // No further check is wanted before this.
    bool accused = false;
    Reason reason = Reason::silent;
  };

  Subject* find(NodeId node) noexcept;
  Accusation accusation_of(const Subject& subject) const noexcept;
  bool excuse_lateness(TimePoint now);
  void accuse(Subject& subject, Reason reason);
  void withdraw(Subject& subject);
  void report(TimePoint now);
  void send(NodeId to, const Message& message);
  void answer(NodeId from, const Probe& probe);
  void on_ack(TimePoint now, NodeId from, const Ack& ack);
  void on_report(TimePoint now, NodeId from, const Report& report);
  void on_hint(TimePoint now, NodeId from, const Hint& hint);

  const Options options_;
  const NodeId self_;
  DatagramPort& port_;
  DetectorEvents& events_;
  const Rings* rings_ = nullptr;
  Aggregator* judge_ = nullptr;
  Incarnation incarnation_;
  std::vector<NodeId> judges_;
  std::vector<Subject> subjects_;
  TimePoint due_{};
  std::uint64_t report_number_ = 0;
  unsigned empty_reports_left_ = 0;
  std::uint64_t dropped_ = 0;
  std::uint64_t late_ticks_ = 0;
};

}  // namespace krg::detector
