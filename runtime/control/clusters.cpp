#include "krg/control/clusters.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <filesystem>

#include "krg/control/socket.h"

namespace krg::control {
namespace {

namespace fs = std::filesystem;

// The places where the base may be, best first.
std::vector<std::string> bases(std::string_view runtime_dir) {
  std::vector<std::string> places;
  if (!runtime_dir.empty()) places.push_back(std::string(runtime_dir) + "/krg");
  places.emplace_back("/run/krg");
  places.push_back("/tmp/krg-" + std::to_string(geteuid()));
  return places;
}

// Whether `folder` is a directory of this user that nobody else can enter.
bool is_private(const std::string& folder) {
  struct stat info {};
  return lstat(folder.c_str(), &info) == 0 && S_ISDIR(info.st_mode) && info.st_uid == geteuid() &&
         (info.st_mode & 0022) == 0;
}

bool make_private(const std::string& folder) {
  return (mkdir(folder.c_str(), 0700) == 0 || errno == EEXIST) && is_private(folder);
}

}  // namespace

bool is_cluster_name(std::string_view name) noexcept {
  constexpr std::string_view kAllowed =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";
  return !name.empty() && name.size() <= 32 && name[0] != '.' &&
         name.find_first_not_of(kAllowed) == std::string_view::npos;
}

Result<std::string> make_folder(std::string_view runtime_dir, std::string_view cluster) {
  if (!is_cluster_name(cluster)) {
    return Error(Errc::invalid_argument,
                 "a cluster's name has 1 to 32 letters, digits, '_', '.' or '-'");
  }
  for (const std::string& base : bases(runtime_dir)) {
    const std::string folder = base + "/" + std::string(cluster);
    if (make_private(base) && make_private(folder)) return folder;
  }
  return Error(Errc::denied, "no private folder for the control socket can be made");
}

void remove_folder(const std::string& folder) noexcept { rmdir(folder.c_str()); }

std::string socket_of(const std::string& folder, std::uint32_t node) {
  return folder + "/node" + std::to_string(node);
}

std::vector<Running> running_clusters(std::string_view runtime_dir) {
  std::vector<Running> found;
  for (const std::string& base : bases(runtime_dir)) {
    if (!is_private(base)) continue;
    std::error_code ignored;
    for (const fs::directory_entry& folder : fs::directory_iterator(base, ignored)) {
      const std::string name = folder.path().filename();
      if (!is_cluster_name(name) || !is_private(folder.path())) continue;
      std::vector<std::pair<unsigned long, std::string>> sockets;
      for (const fs::directory_entry& entry : fs::directory_iterator(folder.path(), ignored)) {
        const std::string file = entry.path().filename();
        if (file.rfind("node", 0) == 0 && file.find('.') == std::string::npos) {
          sockets.emplace_back(std::strtoul(file.c_str() + 4, nullptr, 10), entry.path());
        }
      }
      std::sort(sockets.begin(), sockets.end());
      for (const auto& [node, socket] : sockets) {
        if (!call(socket)) continue;
        found.push_back({name, socket});
        break;
      }
    }
  }
  std::sort(found.begin(), found.end(),
            [](const Running& a, const Running& b) { return a.cluster < b.cluster; });
  return found;
}

Result<Running> find_cluster(std::string_view runtime_dir, std::string_view name) {
  std::vector<Running> all = running_clusters(runtime_dir);
  if (!name.empty()) std::erase_if(all, [&](const Running& one) { return one.cluster != name; });
  if (all.empty()) {
    return Error(Errc::not_found, name.empty() ? "no cluster of yours runs here"
                                               : "no cluster of that name runs here");
  }
  if (all.size() > 1) {
    return Error(Errc::invalid_argument, "several clusters of yours run here: say which");
  }
  return all.front();
}

}  // namespace krg::control
