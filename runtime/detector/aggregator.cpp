#include "krg/detector/aggregator.h"

#include <algorithm>

namespace krg::detector {
namespace {

// One witness may itself be the one who is cut off; its fabric then has lost everybody.
constexpr std::size_t kFabricWitnesses = 2;

}  // namespace

void Aggregator::set_view(const Rings& rings) {
  rings_ = &rings;
  held_.clear();
  declared_.clear();
}

void Aggregator::on_report(TimePoint now, NodeId from, const Report& report) {
  if (rings_ == nullptr || report.epoch != rings_->epoch() || !rings_->contains(from) ||
      report.observer != rings_->incarnation(from)) {
    ++dropped_;
    return;
  }
  Held& held = held_[from];
  if (report.number <= held.number) {
    ++dropped_;
    return;
  }
  held = {report.number, now, {}};
  const std::vector<NodeId> watched = rings_->subjects(from);
  std::vector<NodeId> subjects;
  for (const Charge& charge : report.charges) {
    const bool watches = std::binary_search(watched.begin(), watched.end(), charge.subject);
    if (!watches || charge.incarnation != rings_->incarnation(charge.subject)) {
      ++dropped_;
      continue;
    }
    held.charges.push_back(charge);
    subjects.push_back(charge.subject);
  }
  judge_all(now, std::move(subjects));
}

// A verdict lowers the number of observers that are left to those whom the failed node watched.
void Aggregator::judge_all(TimePoint now, std::vector<NodeId> subjects) {
  while (!subjects.empty()) {
    const NodeId subject = subjects.back();
    subjects.pop_back();
    if (!judge(now, subject)) continue;
    const std::vector<NodeId> watched = rings_->subjects(subject);
    subjects.insert(subjects.end(), watched.begin(), watched.end());
  }
}

bool Aggregator::judge(TimePoint now, NodeId subject) {
  if (declared_.contains(subject)) return false;
  std::size_t observers = 0;
  std::size_t silent = 0;
  std::size_t fabric = 0;
  for (const NodeId observer : rings_->observers(subject)) {
    if (declared_.contains(observer)) continue;
    ++observers;
    const Charge* charge = charge_of(now, observer, subject);
    if (charge != nullptr) ++(charge->reason == Reason::fabric ? fabric : silent);
  }
  const std::size_t accusers = silent + fabric;
  const bool at_once = fabric > 0 && fabric >= std::min(kFabricWitnesses, observers);
  if (!at_once && accusers * 2 <= observers) return false;
  declared_.insert(subject);
  sink_.on_verdict({.subject = subject,
                    .epoch = rings_->epoch(),
                    .incarnation = rings_->incarnation(subject),
                    .reason = at_once ? Reason::fabric : Reason::silent,
                    .accusers = accusers,
                    .observers = observers});
  return true;
}

const Charge* Aggregator::charge_of(TimePoint now, NodeId observer, NodeId subject) const {
  const auto held = held_.find(observer);
  if (held == held_.end() || now - held->second.at > options_.memory) return nullptr;
  for (const Charge& charge : held->second.charges) {
    if (charge.subject == subject) return &charge;
  }
  return nullptr;
}

}  // namespace krg::detector
