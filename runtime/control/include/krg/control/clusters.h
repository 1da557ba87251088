// control/clusters.h: which clusters of this user answer on this machine, and where.
//
// Model    <base>/<cluster>/node<N> is the control socket of node N. The base is
//          $XDG_RUNTIME_DIR/krg, else /run/krg where that can be made, else /tmp/krg-<uid>; it and
//          the cluster's folder are 0700 and the user's own, or they are not used.
// Threads  safe.
// Blocks   for a few system calls on a local file system.
// Source   the XDG base directory specification; docs/design/launch.md, "Finding a cluster"
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "krg/error/result.h"

namespace krg::control {

// The folder of a cluster, made if need be.
// Errors  invalid_argument  not a name: 1 to 32 of a-z A-Z 0-9 _ . -, not beginning with '.'.
//         denied            the folder is somebody else's.  system_error
Result<std::string> make_folder(std::string_view runtime_dir, std::string_view cluster);
// Removes the folder if it is empty.
void remove_folder(const std::string& folder) noexcept;

std::string socket_of(const std::string& folder, std::uint32_t node);

struct Running {
  std::string cluster;
  std::string socket;  // Of its lowest node on this machine that answers.
};
// The clusters of this user that answer on this machine, by name. `runtime_dir` as above; "" = not
// set.
std::vector<Running> running_clusters(std::string_view runtime_dir);
// The one of that name; with "" the only one.
// Errors  not_found         none, or none of that name.
//         invalid_argument  "" and there are several.
Result<Running> find_cluster(std::string_view runtime_dir, std::string_view name);

bool is_cluster_name(std::string_view name) noexcept;

}  // namespace krg::control
