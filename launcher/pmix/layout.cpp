#include "layout.h"

#include <algorithm>
#include <unordered_map>

#include "krg/pmix/pmi1_protocol.h"

namespace krg::pmix {
namespace {

Status check(const JobDescription& job) {
  const auto bad = [](const char* what) { return Error(Errc::invalid_argument, what); };
  const auto blank = [](unsigned char c) { return c <= ' ' || c == 0x7f; };
  const std::string& name = job.name_space;
  if (name.empty() || name.size() >= kPmi1NameMax || std::any_of(name.begin(), name.end(), blank)) {
    return bad("a job's name space is empty, too long or has a blank");
  }
  if (job.ranks.empty() || job.ranks.size() >= kEveryRank) return bad("a job has no ranks");
  if (job.folder.empty()) return bad("a job has no folder for temporary files");
  for (std::size_t i = 0; i < job.nodes.size(); ++i) {
    if (job.nodes[i].host.empty()) return bad("a node of a job has no host name");
    if (i > 0 && job.nodes[i].node <= job.nodes[i - 1].node) {
      return bad("the nodes of a job are not in order");
    }
  }
  for (const JobRank& rank : job.ranks) {
    if (rank.node_index >= job.nodes.size()) return bad("a rank's node is not of the job");
    if (rank.app >= job.apps.size()) return bad("a rank's app is not of the job");
  }
  return {};
}

}  // namespace

Result<Layout> lay_out(const JobDescription& job, NodeId self) {
  KRG_TRY(check(job));
  Layout layout;
  layout.ranks_of_app.resize(job.apps.size());
  std::unordered_map<std::string, std::uint32_t> known;
  for (Rank rank = 0; rank < job.ranks.size(); ++rank) {
    const JobRank& placed = job.ranks[rank];
    const JobNode& node = job.nodes[placed.node_index];
    const auto [found, is_new] =
        known.emplace(node.host, static_cast<std::uint32_t>(layout.hosts.size()));
    if (is_new) {
      layout.hosts.push_back(node.host);
      layout.ranks_of_host.emplace_back();
    }
    auto& on_host = layout.ranks_of_host[found->second];
    auto& of_app = layout.ranks_of_app[placed.app];
    layout.host_of.push_back(found->second);
    layout.local_rank.push_back(static_cast<std::uint32_t>(on_host.size()));
    layout.app_rank.push_back(static_cast<std::uint32_t>(of_app.size()));
    on_host.push_back(rank);
    of_app.push_back(rank);
    if (node.node == self) layout.mine.push_back(rank);
    layout.nodes.push_back(node.node);
  }
  std::sort(layout.nodes.begin(), layout.nodes.end());
  layout.nodes.erase(std::unique(layout.nodes.begin(), layout.nodes.end()), layout.nodes.end());
  return layout;
}

}  // namespace krg::pmix
