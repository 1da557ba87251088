#include "pmix_topology.h"

#include <hwloc.h>

namespace krg::pmix {

void NodeTopology::Destroy::operator()(hwloc_topology* topology) const noexcept {
  hwloc_topology_destroy(topology);
}

Result<NodeTopology> NodeTopology::load(const std::string& file, const std::string& folder) {
  NodeTopology made;
  hwloc_topology_t topology = nullptr;
  if (hwloc_topology_init(&topology) != 0) return errno_error(Errc::system_error, "hwloc");
  made.topology_.reset(topology);
  hwloc_topology_set_io_types_filter(topology, HWLOC_TYPE_FILTER_KEEP_NONE);
  // Binding by a topology from a file is real only if the file is said to be of this machine.
  hwloc_topology_set_flags(topology, HWLOC_TOPOLOGY_FLAG_IS_THISSYSTEM);
  if (!file.empty() && hwloc_topology_set_xml(topology, file.c_str()) != 0) {
    return errno_error(Errc::system_error, "the topology file can not be read");
  }
  if (hwloc_topology_load(topology) != 0) {
    return errno_error(Errc::system_error, "the node's topology can not be loaded");
  }
  made.file_ = file.empty() ? folder + "/topology.xml" : file;
  if (file.empty() && hwloc_topology_export_xml(topology, made.file_.c_str(), 0) != 0) {
    return errno_error(Errc::system_error, "the topology file can not be written");
  }
  return made;
}

}  // namespace krg::pmix
