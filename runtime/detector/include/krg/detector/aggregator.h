// detector/aggregator.h: a judge, who adds up what observers report and declares nodes failed.
//
// Model    a node has failed when more than half of its observers accuse it, or when two of them
//          (one, if it has only one) do by their own fabric. An observer that has itself been
//          declared failed neither counts nor is missed, so that many may fail at once. A report
//          replaces the one before from the same observer, and is forgotten if it is not repeated.
//          Each judge declares for itself: that all agree is the business of the membership.
// Threads  owned by one thread.
// Blocks   never. Cost: a report takes O(charges * rings * log members).
// Source   docs/design/hotplug.md, "Verdict"
#pragma once

#include <map>
#include <set>
#include <vector>

#include "krg/detector/messages.h"
#include "krg/detector/options.h"
#include "krg/detector/rings.h"

namespace krg::detector {

struct Verdict {
  NodeId subject;
  Epoch epoch;
  Incarnation incarnation;
  Reason reason = Reason::silent;
  std::size_t accusers = 0;   // Distinct observers.
  std::size_t observers = 0;  // Of those that were not declared failed themselves.
  bool operator==(const Verdict&) const = default;
};

class VerdictSink {
 public:
  // Once for each life of a node in one view. May not call the aggregator back.
  virtual void on_verdict(const Verdict& verdict) noexcept = 0;

 protected:
  ~VerdictSink() = default;
};

class Aggregator {
 public:
  // Requires  `sink` outlives this.
  Aggregator(const Options& options, VerdictSink& sink) : options_(options), sink_(sink) {}

  // Forgets all reports and verdicts of the view before.
  // Requires  `rings` outlives the next call.
  void set_view(const Rings& rings);
  // Reports of another view, of a stranger, of another life or out of order are dropped, and so are
  // charges by one who is not an observer of the accused.
  void on_report(TimePoint now, NodeId from, const Report& report);

  bool declared(NodeId node) const { return declared_.contains(node); }
  std::uint64_t dropped() const noexcept { return dropped_; }

 private:
  struct Held {
    std::uint64_t number = 0;
    TimePoint at;
    std::vector<Charge> charges;
  };

  bool judge(TimePoint now, NodeId subject);
  void judge_all(TimePoint now, std::vector<NodeId> subjects);
  const Charge* charge_of(TimePoint now, NodeId observer, NodeId subject) const;

  const Options options_;
  VerdictSink& sink_;
  const Rings* rings_ = nullptr;
  std::map<NodeId, Held> held_;  // By observer; only those who ever had something to say.
  std::set<NodeId> declared_;
  std::uint64_t dropped_ = 0;
};

}  // namespace krg::detector
