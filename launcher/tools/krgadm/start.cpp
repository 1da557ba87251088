// krgadm cluster start.
#include <charconv>

#include "commands.h"
#include "krg/cli/exit.h"
#include "krg/control/clusters.h"
#include "krg/placement/hosts.h"
#include "krg/runner/start_cluster.h"

namespace krg::krgadm {
namespace {

using Kind = krgrun::ClusterChoice::Kind;
constexpr std::uint32_t kNodesMax = 1024;

// From the options, or nothing and a complaint.
Status choose(const cli::Arguments& args, krgrun::ClusterChoice& choice, std::string& complaint) {
  const Error wrong(Errc::invalid_argument);
  const auto nodes = args.value("--nodes");
  const auto file = args.value("--hostfile");
  const auto list = args.value("--host");
  if (file) {
    KRG_TRY_ASSIGN(choice.hosts, placement::read_hostfile(std::string(*file), complaint));
  }
  if (list) {
    KRG_TRY_ASSIGN(choice.hosts, placement::parse_host_list(*list, choice.hosts, complaint));
  }
  choice.kind = file || list ? Kind::hosts : Kind::embedded;
  if (choice.kind == Kind::hosts && choice.hosts.empty()) {
    complaint = "cluster start: no host is named";
    return wrong;
  }
  if (!nodes) return {};
  if (choice.kind == Kind::hosts) {
    complaint = "cluster start: --nodes is for nodes inside this machine; leave out the hosts";
    return wrong;
  }
  const char* const end = nodes->data() + nodes->size();
  const auto [rest, error] = std::from_chars(nodes->data(), end, choice.nodes);
  if (error != std::errc() || rest != end || choice.nodes == 0 || choice.nodes > kNodesMax) {
    complaint = "cluster start: --nodes " + std::string(*nodes) + ": want a number from 1 to 1024";
    return wrong;
  }
  return {};
}

}  // namespace

int start_cluster(const cli::Arguments& args, const Target& target,
                  const settings::Settings& settings, const config::Environment& environment) {
  krgrun::ClusterChoice choice;
  std::string complaint;
  choice.name = target.cluster.empty() ? "krg" : target.cluster;
  choice.launch_agent = args.value("--launch-agent").value_or(settings.launch.agent);
  if (!control::is_cluster_name(choice.name)) {
    return cli::refuse("krgadm", "cluster start: '" + choice.name +
                                     "' is no name: use up to 32 letters, digits, '_', '.', '-'");
  }
  if (!choose(args, choice, complaint)) return cli::refuse("krgadm", complaint);
  if (control::find_cluster(target.runtime_dir, choice.name)) {
    cli::refuse("krgadm", "cluster '" + choice.name + "' is running here already");
    return cli::kFailed;
  }
  if (const auto text = args.value("--memory-budget")) {
    const auto budget = settings::parse_budget(*text);
    if (!budget) {
      return cli::refuse("krgadm", "cluster start: --memory-budget " + std::string(*text) +
                                       ": that is no size; write 512MiB or 8GiB");
    }
    choice.memory_budget = *budget;
  }
  settings::Settings told = settings;
  if (args.has("--no-failover")) told.hotplug.failover = false;
  return runner::start_cluster(choice, told, environment);
}

}  // namespace krg::krgadm
