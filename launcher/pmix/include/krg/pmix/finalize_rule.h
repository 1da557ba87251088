// pmix/finalize_rule.h: when a barrier that will never fill may let its waiters go.
//
// Model    MPICH before 4.2 hangs in MPI_Finalize over UCX between hosts: ranks that have
// disconnected block
//          in a PMI barrier while their peers spin for a flush that only they could answer. A
//          barrier whose epoch has no put has nothing to hand over, so releasing its waiters early
//          costs nothing but order. The rule: puts in an earlier epoch, none in this one, some
//          ranks waiting, and no arrival for `patience`. From then on every arrival is released at
//          once. Releasing without the patience gave "Endpoint timeout" in 1 of 30 runs.
// Threads  owned by one thread. Pure: the caller brings the time.
// Blocks   never.
// Source   MPICH pull request 6596 (which removed the barrier); measured on a 2-core AMD EPYC
// virtual
//          machine, 2026-11-22: hangs in 5 of 8 runs without the rule, none of 130 with it
#pragma once

#include <optional>

#include "krg/base/deadline.h"

namespace krg::pmix {

class FinalizeRule {
 public:
  // A patience of zero turns the rule off.
  explicit FinalizeRule(Duration patience) noexcept : patience_(patience) {}

  void put() noexcept { put_now_ = true; }
  void arrived(TimePoint now) noexcept {
    waiting_ = true;
    since_ = now;
  }
  // The barrier filled; `puts` says whether any rank of the job had put anything in its epoch.
  void completed(bool puts) noexcept {
    put_before_ = put_before_ || puts || put_now_;
    put_now_ = waiting_ = false;
  }
  // Other nodes had puts after all, or could not be asked: be patient once more.
  void doubt(TimePoint now) noexcept { since_ = now; }
  void release() noexcept {
    released_ = true;
    waiting_ = false;
  }

  // Whether this node knows of nothing that the barrier would hand over.
  bool quiet() const noexcept { return released_ || (put_before_ && !put_now_); }
  bool released() const noexcept { return released_; }
  // When the waiters may be released, if nothing happens before.
  std::optional<TimePoint> due() const noexcept {
    if (patience_ == Duration::zero() || released_ || !waiting_ || !quiet()) return {};
    return since_ + patience_;
  }

 private:
  const Duration patience_;
  TimePoint since_{};
  bool put_before_ = false, put_now_ = false, waiting_ = false, released_ = false;
};

}  // namespace krg::pmix
