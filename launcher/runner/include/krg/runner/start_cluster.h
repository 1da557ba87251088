// runner/start_cluster.h: starts a cluster that stays.
//
// Model    as krgrun starts one for a job, but its krgds outlive whoever started them; a later
//          krgrun finds it by name, and `krgadm cluster stop` ends it.
// Threads  called once, from the main thread, before there is another.
// Blocks   until every krgd is ready, or has failed.
// Source   krgadm(1); docs/design/launch.md, "Starting krgd"
#pragma once

#include "krg/config/environment.h"
#include "krg/krgrun/job.h"
#include "krg/settings/settings.h"

namespace krg::runner {

// The exit code of krgadm. What went wrong has been said on stderr, in one line.
//
// Requires  choice.kind is embedded or hosts, and choice.name is not empty.
int start_cluster(const krgrun::ClusterChoice& choice, const settings::Settings& settings,
                  const config::Environment& environment);

}  // namespace krg::runner
