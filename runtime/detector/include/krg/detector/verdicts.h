// detector/verdicts.h: the coordinator weighs accusations.
//
// Model    a subject is silent when at least two thirds of its credible observers say so. Credible
//          are those that are not themselves accused by a third or more of their observers: so a
//          cut-off group can not shield its own, and one bad observer can not condemn. It has ended
//          when two credible members say so, or the only other one does.
// Threads  the reactor's thread.
// Blocks   never. Cost of decide(): observers of the accused.
// Source   docs/design/hotplug.md, "Detection"; Suresh et al., "Rapid", ATC 2018 (H and L)
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <vector>

#include "krg/base/deadline.h"
#include "krg/detector/evidence.h"
#include "krg/detector/rings.h"

namespace krg::detector {

struct Verdict {
  Peer subject;
  Evidence evidence = Evidence::silent;
};

class Verdicts {
 public:
  // An observer repeats its accusation every period; one that does not has nothing to say.
  explicit Verdicts(Duration report_life = std::chrono::milliseconds(1200)) noexcept
      : report_life_(report_life) {}

  // The members of the view, ascending. Reports about lives that are not among them are dropped.
  void set_view(std::vector<Peer> members, std::shared_ptr<const Rings> rings);
  void clear() noexcept { accused_.clear(); }
  // True if this is the first evidence that `subject` has ended: others should probe it.
  bool report(NodeId from, const Peer& subject, Evidence evidence, TimePoint now);
  // Who is to be excluded, as things stand.
  std::vector<Verdict> decide(TimePoint now) const;

 private:
  struct Report {
    Evidence evidence = Evidence::well;
    TimePoint at;
  };
  using Reports = std::map<NodeId, Report>;

  bool fresh(const Report& report, TimePoint now) const noexcept;
  const Peer* find(NodeId node) const noexcept;
  bool credible(NodeId node, TimePoint now) const;
  bool is_silent(NodeId subject, const Reports& reports, TimePoint now) const;
  bool has_ended(NodeId subject, const Reports& reports, TimePoint now) const;

  const Duration report_life_;
  std::vector<Peer> members_;
  std::shared_ptr<const Rings> rings_;
  std::map<NodeId, Reports> accused_;
};

}  // namespace krg::detector
