// lock_reporter.h: what a node tells of its tasks' locks.
#pragma once

#include "krg/access/access.h"
#include "krg/kddm/kddm.h"
#include "krg/sync/lock_report.h"

namespace krg::sync {

// Threads  the reactor's thread.
LockReport::Reply report_locks(const kddm::TaskAccess& access, const kddm::Kddm& kddm,
                               TimePoint now);

}  // namespace krg::sync
