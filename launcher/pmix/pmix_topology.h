// pmix/pmix_topology.h: the node's topology for libpmix and for the ranks.
//
// Model    read from an XML file, or found out once, without I/O devices, and written to one.
//          libpmix's own discovery takes 10 ms of its 13 to 17 ms start (it even tries X displays);
//          with a file, and the same file named to the ranks by HWLOC_XMLFILE, each MPI_Init is 30
//          ms shorter.
// Threads  owned by one thread.
// Blocks   for about 3 ms when it has to find out.
// Source   hwloc(7); measured on a 2-core AMD EPYC virtual machine, 2026-11-22
#pragma once

#include <memory>
#include <string>

#include "krg/error/result.h"

struct hwloc_topology;

namespace krg::pmix {

class NodeTopology {
 public:
  // `file` may be empty: then the topology is found out and written to `folder`.
  //
  // Errors  system_error  the file can not be read or written, or is no topology.
  static Result<NodeTopology> load(const std::string& file, const std::string& folder);

  hwloc_topology* get() const noexcept { return topology_.get(); }
  const std::string& file() const noexcept { return file_; }

 private:
  struct Destroy {
    void operator()(hwloc_topology* topology) const noexcept;
  };
  std::unique_ptr<hwloc_topology, Destroy> topology_;
  std::string file_;
};

}  // namespace krg::pmix
