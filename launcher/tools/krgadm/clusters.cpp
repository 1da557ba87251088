// krgadm cluster list and stop.
#include <chrono>
#include <thread>

#include "commands.h"
#include "krg/cli/exit.h"
#include "krg/cli/table.h"
#include "krg/control/clusters.h"
#include "krg/control/socket.h"
#include "krg/jobs/client.h"

namespace krg::krgadm {
namespace {

constexpr std::chrono::seconds kStopPatience{15};
constexpr std::chrono::milliseconds kStopStep{20};

}  // namespace

int list_clusters(const Target& target, bool json) {
  cli::Table table({"cluster", "socket"});
  for (const control::Running& running : control::running_clusters(target.runtime_dir)) {
    table.add({running.cluster, running.socket});
  }
  if (json) return cli::print(table.json());
  if (table.rows() == 0) return cli::print("no cluster of yours is running on this machine\n");
  return cli::print(table.text());
}

int stop_cluster(const Target& target) {
  std::string complaint;
  const auto found = control::find_cluster(target.runtime_dir, target.cluster);
  // The answer to the wish to end is that nobody answers any more.
  const auto answer = ask(target, jobs::EndCluster::kFrame, {}, 0, kPatience, complaint);
  if (!found || (!answer && answer.error() == Errc::timed_out)) {
    cli::refuse("krgadm", complaint);
    return cli::kFailed;
  }
  const auto until = std::chrono::steady_clock::now() + kStopPatience;
  while (control::call(found->socket)) {
    if (std::chrono::steady_clock::now() > until) {
      cli::refuse("krgadm", "cluster '" + found->cluster + "' is still there after 15 s");
      return cli::kFailed;
    }
    std::this_thread::sleep_for(kStopStep);
  }
  return cli::print("cluster " + found->cluster + " has ended\n");
}

}  // namespace krg::krgadm
