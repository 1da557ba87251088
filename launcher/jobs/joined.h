// joined.h: cpus for the tasks of a job on a node that came later.
#pragma once

#include <string>

#include "krg/cluster/view.h"
#include "krg/jobs/spec.h"
#include "krg/topo/topology.h"

namespace krg::jobs {

// The part of the machine that is one node's when the view's nodes on its host share it, as nodes
// inside a machine do from the start; empty: all of it.
topo::CpuSet part_of(const cluster::View& view, NodeId node, const topo::Topology& machine);

// Binds the tasks of `node` from the rank `first` on, as the job's first ones were: by the policy
// in spec.elastic. Returns one line if the user has asked for a binding that can not be had; what
// nobody has asked for and can not be had leaves them unbound.
// Requires  an elastic spec that check() accepts.
std::string bind_joined(JobSpec& spec, NodeId node, std::uint32_t first,
                        const topo::Topology& machine, const topo::CpuSet& part);

}  // namespace krg::jobs
