#include "pmix_job_info.h"

#include <hwloc.h>

#include <cstdlib>
#include <memory>

#include "krg/pmix/process_mapping.h"

namespace krg::pmix {
namespace {

// A C string of libpmix's, freed.
struct Free {
  void operator()(char* text) const noexcept { std::free(text); }
};
using Text = std::unique_ptr<char, Free>;

std::string joined(const std::vector<Rank>& ranks) {
  std::string text;
  for (const Rank rank : ranks) text += (text.empty() ? "" : ",") + std::to_string(rank);
  return text;
}

std::string joined(const std::vector<std::string>& words, char between) {
  std::string text;
  for (const std::string& word : words) {
    if (!text.empty()) text += between;
    text += word;
  }
  return text;
}

// The cpuset of a bound rank in PMIx's two spellings.
struct Binding {
  Text cpuset, locality;
};

Binding binding_of(const std::string& cpus) {
  Binding binding;
  hwloc_bitmap_t bits = hwloc_bitmap_alloc();
  if (!cpus.empty() && bits != nullptr && hwloc_bitmap_list_sscanf(bits, cpus.c_str()) == 0) {
    char source[] = "hwloc";
    pmix_cpuset_t set{};
    set.source = source;
    set.bitmap = bits;
    char* text = nullptr;
    if (PMIx_server_generate_cpuset_string(&set, &text) == PMIX_SUCCESS) binding.cpuset.reset(text);
    text = nullptr;
    if (PMIx_server_generate_locality_string(&set, &text) == PMIX_SUCCESS) {
      binding.locality.reset(text);
    }
  }
  hwloc_bitmap_free(bits);
  return binding;
}

// The host of this node in the job's numbering; as many as there are hosts if it has no ranks.
std::size_t own_host(const JobServer::Impl& job) {
  const Layout& layout = job.layout();
  return layout.mine.empty() ? layout.hosts.size() : layout.host_of[layout.mine.front()];
}

Status add_maps(InfoList& list, const Layout& layout) {
  std::string ranks;
  for (const auto& on_host : layout.ranks_of_host) {
    if (!ranks.empty()) ranks += ';';
    ranks += joined(on_host);
  }
  char *nodes_regex = nullptr, *ranks_regex = nullptr;
  const std::string hosts = joined(layout.hosts, ',');
  const bool made = PMIx_generate_regex(hosts.c_str(), &nodes_regex) == PMIX_SUCCESS &&
                    PMIx_generate_ppn(ranks.c_str(), &ranks_regex) == PMIX_SUCCESS;
  const Text nodes_text(nodes_regex), ranks_text(ranks_regex);
  if (!made) return Error(Errc::system_error, "libpmix can not write the job's maps");
  list.map(PMIX_NODE_MAP, nodes_regex);
  list.map(PMIX_PROC_MAP, ranks_regex);
  return {};
}

void add_job(InfoList& list, const JobServer::Impl& job) {
  const JobDescription& d = job.description();
  const Layout& layout = job.layout();
  const std::size_t size = d.ranks.size();
  list.text(PMIX_JOBID, d.name_space);
  list.u32(PMIX_SESSION_ID, 0);
  list.u32(PMIX_UNIV_SIZE, d.universe_size != 0 ? d.universe_size : size);
  list.u32(PMIX_JOB_SIZE, size);
  list.u32(PMIX_MAX_PROCS, size);
  list.u32(PMIX_JOB_NUM_APPS, d.apps.size());
  list.u32(PMIX_NUM_NODES, layout.hosts.size());
  list.text(PMIX_ANL_MAP, process_mapping(layout.host_of, std::size_t{1} << 20));
  list.text(PMIX_TMPDIR, d.folder);
  list.text(PMIX_NSDIR, d.folder);
  list.flag(PMIX_TDIR_RMCLEAN, true);
  list.text(PMIX_MAPBY, d.map_by);
  list.text(PMIX_RANKBY, d.rank_by);
  list.text(PMIX_BINDTO, d.bind_to);
  list.flag(PMIX_NODE_OVERSUBSCRIBED, d.oversubscribed);
  if (d.parent) {
    list.flag(PMIX_SPAWNED, true);
    list.process(PMIX_PARENT_ID, *d.parent);
  }
  if (const std::size_t host = own_host(job); host < layout.hosts.size()) {
    const auto& peers = layout.ranks_of_host[host];
    list.u32(PMIX_LOCAL_SIZE, peers.size());
    list.u32(PMIX_NODE_SIZE, peers.size());
    list.text(PMIX_LOCAL_PEERS, joined(peers));
    list.rank(PMIX_LOCALLDR, peers.front());
  }
}

// Open MPI 5 reads sizes and first ranks of the apps from two texts of its own.
void add_apps(InfoList& list, const JobServer::Impl& job) {
  const JobDescription& d = job.description();
  std::string sizes, firsts;
  for (std::size_t app = 0; app < d.apps.size(); ++app) {
    const auto& ranks = job.layout().ranks_of_app[app];
    InfoList members;
    members.u32(PMIX_APPNUM, app);
    members.u32(PMIX_APP_SIZE, ranks.size());
    members.rank(PMIX_APPLDR, ranks.empty() ? 0 : ranks.front());
    members.text(PMIX_APP_ARGV, joined(d.apps[app].argv, ' '));
    members.text(PMIX_WDIR, d.apps[app].working_folder);
    list.array(PMIX_APP_INFO_ARRAY, members);
    sizes += (app == 0 ? "" : " ") + std::to_string(ranks.size());
    firsts += (app == 0 ? "" : " ") + std::to_string(ranks.empty() ? 0 : ranks.front());
  }
  list.text("OMPI_APP_SIZES", sizes);
  list.text("OMPI_FIRST_RANKS", firsts);
}

void add_hosts(InfoList& list, const JobServer::Impl& job) {
  const Layout& layout = job.layout();
  for (std::size_t host = 0; host < layout.hosts.size(); ++host) {
    const auto& ranks = layout.ranks_of_host[host];
    InfoList members;
    members.text(PMIX_HOSTNAME, layout.hosts[host]);
    members.u32(PMIX_NODEID, host);
    members.u32(PMIX_LOCAL_SIZE, ranks.size());
    members.u32(PMIX_NODE_SIZE, ranks.size());
    members.text(PMIX_LOCAL_PEERS, joined(ranks));
    members.rank(PMIX_LOCALLDR, ranks.front());
    list.array(PMIX_NODE_INFO_ARRAY, members);
  }
}

void add_ranks(InfoList& list, const JobServer::Impl& job) {
  const JobDescription& d = job.description();
  const Layout& layout = job.layout();
  const std::size_t here = own_host(job);
  for (Rank rank = 0; rank < d.ranks.size(); ++rank) {
    const std::uint32_t host = layout.host_of[rank];
    InfoList members;
    members.rank(PMIX_RANK, rank);  // Must come first.
    members.rank(PMIX_GLOBAL_RANK, rank);
    members.rank(PMIX_APP_RANK, layout.app_rank[rank]);
    members.u32(PMIX_APPNUM, d.ranks[rank].app);
    members.u16(PMIX_LOCAL_RANK, layout.local_rank[rank]);
    members.u16(PMIX_NODE_RANK, layout.local_rank[rank]);
    members.u32(PMIX_NODEID, host);
    members.text(PMIX_HOSTNAME, layout.hosts[host]);
    members.u32(PMIX_REINCARNATION, 0);
    if (host == here) {
      members.text(PMIX_PROCDIR, d.folder);
      const Binding binding = binding_of(d.ranks[rank].cpuset);
      if (binding.cpuset) members.add(PMIX_CPUSET, binding.cpuset.get(), PMIX_STRING);
      if (binding.locality) members.add(PMIX_LOCALITY_STRING, binding.locality.get(), PMIX_STRING);
    }
    list.array(PMIX_PROC_DATA, members);
  }
}

}  // namespace

Result<Infos> job_infos(const JobServer::Impl& job, const ServiceOptions& options) {
  InfoList list;
  add_job(list, job);
  KRG_TRY(add_maps(list, job.layout()));
  add_apps(list, job);
  add_hosts(list, job);
  add_ranks(list, job);
  list.text(PMIX_HOSTNAME, options.host);
  if (!list.ok()) return Error(Errc::system_error, "libpmix refuses a key of the job");
  return list.take();
}

}  // namespace krg::pmix
