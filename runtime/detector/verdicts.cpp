#include "krg/detector/verdicts.h"

#include <algorithm>
#include <utility>

namespace krg::detector {

void Verdicts::set_view(std::vector<Peer> members, std::shared_ptr<const Rings> rings) {
  const std::vector<Peer> before = std::exchange(members_, std::move(members));
  rings_ = std::move(rings);
  for (const Peer& peer : before) {
    const Peer* const now = find(peer.node);
    if (now != nullptr && *now == peer) continue;
    accused_.erase(peer.node);
    for (auto& [subject, reports] : accused_) reports.erase(peer.node);
  }
}

const Peer* Verdicts::find(NodeId node) const noexcept {
  const auto at = std::lower_bound(members_.begin(), members_.end(), node,
                                   [](const Peer& peer, NodeId id) { return peer.node < id; });
  return at != members_.end() && at->node == node ? &*at : nullptr;
}

bool Verdicts::report(NodeId from, const Peer& subject, Evidence evidence, TimePoint now) {
  const Peer* const member = find(subject.node);
  if (member == nullptr || *member != subject || find(from) == nullptr) return false;
  if (evidence == Evidence::well) {
    const auto at = accused_.find(subject.node);
    if (at == accused_.end()) return false;
    at->second.erase(from);
    if (at->second.empty()) accused_.erase(at);
    return false;
  }
  Reports& reports = accused_[subject.node];
  const bool first = std::none_of(reports.begin(), reports.end(), [](const auto& entry) {
    return entry.second.evidence == Evidence::ended;
  });
  Report& report = reports[from];
  // Whoever has seen the end once does not see less later.
  if (report.evidence != Evidence::ended) report.evidence = evidence;
  report.at = now;
  return first && evidence == Evidence::ended;
}

bool Verdicts::fresh(const Report& report, TimePoint now) const noexcept {
  return report.evidence == Evidence::ended || now - report.at <= report_life_;
}

bool Verdicts::credible(NodeId node, TimePoint now) const {
  const auto at = accused_.find(node);
  if (at == accused_.end()) return true;
  std::size_t against = 0;
  for (const auto& [from, report] : at->second) against += fresh(report, now) ? 1 : 0;
  const std::size_t observers = rings_->observers_of(node).size();
  // One accuser among several is not enough, or a node that hears nobody would silence all others
  // of a small cluster and then condemn them alone.
  const bool several = against >= 2 || (against == 1 && observers == 1);
  return !several || against * 3 < observers;
}

bool Verdicts::is_silent(NodeId subject, const Reports& reports, TimePoint now) const {
  std::size_t asked = 0;
  std::size_t against = 0;
  for (const NodeId observer : rings_->observers_of(subject)) {
    if (!credible(observer, now)) continue;
    ++asked;
    const auto at = reports.find(observer);
    if (at != reports.end() && fresh(at->second, now)) ++against;
  }
  return against > 0 && against * 3 >= asked * 2;
}

bool Verdicts::has_ended(NodeId subject, const Reports& reports, TimePoint now) const {
  std::size_t witnesses = 0;
  for (const auto& [from, report] : reports) {
    if (report.evidence == Evidence::ended && credible(from, now)) ++witnesses;
  }
  if (witnesses == 0) return false;
  if (witnesses >= 2) return true;
  std::size_t others = 0;
  for (const Peer& peer : members_) {
    if (peer.node != subject && credible(peer.node, now) && ++others >= 2) return false;
  }
  return true;
}

std::vector<Verdict> Verdicts::decide(TimePoint now) const {
  std::vector<Verdict> verdicts;
  for (const auto& [node, reports] : accused_) {
    const Peer* const peer = find(node);
    if (peer == nullptr) continue;
    if (has_ended(node, reports, now)) {
      verdicts.push_back({*peer, Evidence::ended});
    } else if (is_silent(node, reports, now)) {
      verdicts.push_back({*peer, Evidence::silent});
    }
  }
  return verdicts;
}

}  // namespace krg::detector
