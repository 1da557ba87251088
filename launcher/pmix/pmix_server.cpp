#include "pmix_server.h"

#include <pmix.h>
#include <pmix_server.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>

#include "krg/log/log.h"
#include "pmix_info.h"
#include "pmix_job_info.h"
#include "pmix_upcalls.h"

namespace krg::pmix {
namespace {

// libpmix answers its own calls in microseconds; this only bounds a hang.
constexpr Duration kLibraryTimeout = std::chrono::seconds(30);
constexpr Duration kEventTimeout = std::chrono::seconds(10);
// Jobs of more ranks use libpmix's shared-memory store.
constexpr std::size_t kRanksInOwnStore = 1024;
constexpr const char kStore[] = "PMIX_MCA_gds", kOwnStore[] = "hash";
// How often, and how long, a key is looked for that a rank has not put yet.
constexpr Duration kKeyPatience = std::chrono::seconds(30);
constexpr Duration kFirstLook = std::chrono::milliseconds(2);
constexpr Duration kSeldomLook = std::chrono::milliseconds(100);

// Whether what a rank has put holds a key. libpmix packs a key as its text with the final zero. A
// value that looks like one only ends the wait early.
bool holds_key(const Blob& put, const std::string& key) {
  const auto text = std::as_bytes(std::span(key.c_str(), key.size() + 1));
  return key.empty() || std::search(put.begin(), put.end(), text.begin(), text.end()) != put.end();
}

Error library_error(const char* what, pmix_status_t status) {
  KRG_ERROR("{}: {}", what, PMIx_Error_string(status));
  return Error(Errc::system_error, what).with_native(status);
}

// An operation of libpmix that ends by a call on its thread. Shared by the coroutine that waits and
// the letter that wakes it: either may be gone first.
struct Operation {
  explicit Operation(PmixServer& server) : done(server.service().reactor()) {}
  reactor::Event done;
  pmix_status_t status = PMIX_SUCCESS;
  Blob data;
};

// What libpmix carries for us until then.
struct Ticket {
  std::shared_ptr<PmixServer> server;
  std::shared_ptr<Operation> operation;

  static void done(pmix_status_t status, void* self) { finish(status, {}, self); }
  static void modex_done(pmix_status_t status, char* data, std::size_t size, void* self) {
    const auto* from = reinterpret_cast<const std::byte*>(data);
    finish(status, data == nullptr ? Blob() : Blob(from, from + size), self);
  }
  static void finish(pmix_status_t status, Blob data, void* self) {
    const std::unique_ptr<Ticket> ticket(static_cast<Ticket*>(self));
    ticket->server->mailbox().post(
        [server = ticket->server, operation = ticket->operation, status, data = std::move(data)] {
          if (server->stopped()) return;
          operation->status = status;
          operation->data = data;
          operation->done.set();
        });
  }
};

// Starts an operation by `start(void* ticket)`.
template <class Start>
std::shared_ptr<Operation> begin(const std::shared_ptr<PmixServer>& server, Start start) {
  auto operation = std::make_shared<Operation>(*server);
  auto ticket = std::make_unique<Ticket>(Ticket{server, operation});
  const pmix_status_t status = start(ticket.get());
  if (status == PMIX_SUCCESS) {
    (void)ticket.release();  // libpmix has it now.
  } else {
    operation->status = status == PMIX_OPERATION_SUCCEEDED ? PMIX_SUCCESS : status;
    operation->done.set();
  }
  return operation;
}

// Waits for its end.
Co<Result<Blob>> outcome(std::shared_ptr<Operation> operation, const char* what,
                         Deadline deadline) {
  KRG_CO_TRY(co_await operation->done.wait(deadline));
  if (operation->status == PMIX_ERR_NOT_FOUND) co_return Errc::not_found;
  if (operation->status != PMIX_SUCCESS) co_return library_error(what, operation->status);
  co_return std::move(operation->data);
}

template <class Start>
Co<Result<Blob>> operate(std::shared_ptr<PmixServer> server, const char* what, Start start,
                         Deadline deadline) {
  return outcome(begin(server, std::move(start)), what, deadline);
}

}  // namespace

void expect_ranks(std::size_t ranks) noexcept {
  if (ranks > 0 && ranks <= kRanksInOwnStore) setenv(kStore, kOwnStore, 0);
}

Result<std::shared_ptr<PmixServer>> PmixServer::start(Service::Impl& service) {
  if (current_server() != nullptr) {
    return Error(Errc::already_exists, "a PMIx server runs in this process");
  }
  std::shared_ptr<PmixServer> server(new PmixServer(service));
  KRG_TRY(server->initialize());
  return server;
}

Status PmixServer::initialize() {
  const ServiceOptions& options = service_->options();
  KRG_TRY_ASSIGN(topology_, NodeTopology::load(options.topology_file, options.folder));
  const std::string folder = options.folder + "/pmix";
  if (::mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST) {
    return errno_error(Errc::system_error, "making the PMIx server's folder");
  }
  char source[] = "hwloc";
  const pmix_topology_t topology{source, topology_.get()};
  InfoList list;
  list.text(PMIX_SERVER_NSPACE, "krgd");
  list.rank(PMIX_SERVER_RANK, options.self.value);
  list.text(PMIX_SERVER_TMPDIR, folder);
  list.text(PMIX_SYSTEM_TMPDIR, folder);
  list.text(PMIX_HOSTNAME, options.host);
  list.flag(PMIX_SERVER_TOOL_SUPPORT, true);
  pmix_info_t shared{};
  std::copy_n(PMIX_TOPOLOGY2, sizeof PMIX_TOPOLOGY2, shared.key);
  shared.value.type = PMIX_TOPO;
  shared.value.data.topo = const_cast<pmix_topology_t*>(&topology);
  const Infos infos = list.take();
  std::vector<pmix_info_t> all(infos.data(), infos.data() + infos.size());
  all.push_back(shared);  // Given by reference: a copy would copy the whole topology.

  set_current_server(shared_from_this());
  // libpmix keeps the pointer.
  static pmix_server_module_t module{};
  set_job_upcalls(module);
  set_data_upcalls(module);
  const pmix_status_t status = PMIx_server_init(&module, all.data(), all.size());
  if (status != PMIX_SUCCESS) {
    set_current_server(nullptr);
    return library_error("the PMIx server does not start", status);
  }
  return {};
}

PmixServer::~PmixServer() = default;

void PmixServer::stop() {
  if (stopped()) return;
  set_current_server(nullptr);
  const pmix_status_t status = PMIx_server_finalize();
  if (status != PMIX_SUCCESS) (void)library_error("the PMIx server does not stop", status);
  service_ = nullptr;
}

Deadline PmixServer::after(std::optional<std::chrono::seconds> timeout) const {
  return timeout ? service_->reactor().after(*timeout) : Deadline::never();
}

Co<Status> PmixServer::add_job(std::shared_ptr<JobServer::Impl> job) {
  const auto self = shared_from_this();
  KRG_CO_TRY_ASSIGN(const Infos infos, job_infos(*job, service_->options()));
  pmix_nspace_t name{};
  job->description().name_space.copy(name, sizeof name - 1);
  const auto local = static_cast<int>(job->layout().mine.size());
  const Deadline deadline = service_->reactor().after(kLibraryTimeout);
  KRG_CO_TRY(co_await operate(
      self, "registering a job with PMIx",
      [&](void* ticket) {
        return PMIx_server_register_nspace(name, local, infos.data(), infos.size(), Ticket::done,
                                           ticket);
      },
      deadline));
  KRG_CO_TRY(co_await operate(
      self, "setting up local support of PMIx",
      [&](void* ticket) {
        return PMIx_server_setup_local_support(name, nullptr, 0, Ticket::done, ticket);
      },
      deadline));
  // All at once: libpmix takes them one after another, and two threads would wait for each other
  // between.
  std::vector<std::shared_ptr<Operation>> ranks;
  for (const Rank rank : job->layout().mine) {
    const pmix_proc_t proc = to_proc({job->description().name_space, rank});
    ranks.push_back(begin(self, [&](void* ticket) {
      return PMIx_server_register_client(&proc, ::geteuid(), ::getegid(), nullptr, Ticket::done,
                                         ticket);
    }));
  }
  for (auto& rank : ranks) {
    KRG_CO_TRY(co_await outcome(std::move(rank), "registering a rank with PMIx", deadline));
  }
  co_return Status();
}

void PmixServer::remove_job(const std::string& name_space) {
  pmix_nspace_t name{};
  name_space.copy(name, sizeof name - 1);
  PMIx_server_deregister_nspace(name, nullptr, nullptr);
  std::erase_if(fences_, [&](const auto& entry) {
    return entry.first.find(" " + name_space + ":") != std::string::npos;
  });
}

Status PmixServer::add_rank_environment(JobServer::Impl& job, Rank rank, Environment& environment) {
  const pmix_proc_t proc = to_proc({job.description().name_space, rank});
  char** added = nullptr;
  const pmix_status_t status = PMIx_server_setup_fork(&proc, &added);
  for (char** entry = added; entry != nullptr && *entry != nullptr; ++entry) {
    environment.set_entry(*entry);
  }
  pmix_argv_free(added);
  if (status != PMIX_SUCCESS) {
    return library_error("PMIx gives a rank no environment", status);
  }
  // Open MPI 4 takes itself for a singleton under a launcher that it does not know; this is the
  // name of one that it knows and that leaves everything to PMIx. Open MPI 5 needs no such help.
  environment.set("JSM_JSRUN_PORT", "1");
  // libpmix 4.2.2 answers "not found" from its shared-memory store when a rank asks for what a rank
  // of its own node has yet to put (22 of 40 runs with OMPI_MCA_pmix_base_async_modex=1, 2-core
  // virtual machine, 2026-11-25); from the store in each process 0 of 40. That one costs memory in
  // every rank for every rank, and 5 % of the time to start 64.
  if (job.description().ranks.size() <= kRanksInOwnStore) {
    environment.set_default(kStore, kOwnStore);
  }
  // Its UCX layer would otherwise refuse TCP and shared memory, and run on slower paths.
  environment.set_default("OMPI_MCA_opal_common_ucx_tls", "any");
  environment.set_default("OMPI_MCA_opal_common_ucx_devices", "any");
  // Debian's defaults leave no one-sided component that works over TCP; this brings one back.
  if (job.layout().hosts.size() > 1) environment.set_default("OMPI_MCA_osc", "^ucx");
  if (job.description().oversubscribed) {
    environment.set_default("OMPI_MCA_mpi_yield_when_idle", "1");
  }
  if (!environment.has("HWLOC_XMLFILE") && !environment.has("HWLOC_SYNTHETIC")) {
    environment.set("HWLOC_XMLFILE", topology_.file());
    environment.set_default("HWLOC_THISSYSTEM", "1");
  }
  return {};
}

Result<std::vector<NodeId>> PmixServer::nodes_of(const std::vector<ProcessName>& members) const {
  std::vector<NodeId> nodes;
  for (const ProcessName& member : members) {
    JobServer::Impl* const job = service_->job(member.name_space);
    if (job == nullptr) return Error(Errc::not_found, "a name space is not known on this node");
    const Layout& layout = job->layout();
    if (member.rank == kEveryRank) {
      nodes.insert(nodes.end(), layout.nodes.begin(), layout.nodes.end());
    } else if (member.rank < layout.host_of.size()) {
      nodes.push_back(layout.node_of(job->description(), member.rank));
    } else {
      return Error(Errc::invalid_argument, "a rank is not of its job");
    }
  }
  std::sort(nodes.begin(), nodes.end());
  nodes.erase(std::unique(nodes.begin(), nodes.end()), nodes.end());
  return nodes;
}

Co<Result<FenceResult>> PmixServer::fence(std::string operation, std::vector<ProcessName> members,
                                          Blob blob, Deadline deadline) {
  const auto self = shared_from_this();
  KRG_CO_TRY_ASSIGN(std::vector<NodeId> nodes, nodes_of(members));
  if (!std::binary_search(nodes.begin(), nodes.end(), service_->options().self)) {
    co_return Error(Errc::invalid_argument, "a fence without ranks of this node");
  }
  for (const ProcessName& m : members) {
    if (JobServer::Impl* const job = service_->job(m.name_space)) job->fenced(m.rank);
  }
  // Ranks may list the members in any order.
  std::sort(members.begin(), members.end());
  members.erase(std::unique(members.begin(), members.end()), members.end());
  std::string tag = "pmix " + operation;
  for (const ProcessName& m : members) tag += " " + m.name_space + ":" + std::to_string(m.rank);
  const std::uint64_t turn = fences_[tag]++;
  tag += " #" + std::to_string(turn);
  co_return co_await service_->gather(std::move(tag), std::move(nodes), std::move(blob), deadline);
}

bool PmixServer::may_put(const ModexQuestion& question) const {
  JobServer::Impl* const job = service_->job(question.process.name_space);
  if (job == nullptr) return false;
  const auto rank = job->progress().find(question.process.rank);
  if (rank == job->progress().end()) return false;
  const JobServer::Impl::Progress& progress = rank->second;
  return progress.running && !progress.finalized && (question.patient || !progress.fenced);
}

// libpmix answers with what the rank has committed so far, which may be before it puts what the
// asker needs, and tells nobody of later commits: so this looks again.
Co<Result<Blob>> PmixServer::local_modex(ModexQuestion question, Deadline deadline) {
  const auto self = shared_from_this();
  const pmix_proc_t proc = to_proc(question.process);
  const Deadline patience = service_->reactor().after(kKeyPatience);
  for (Duration pause = kFirstLook;; pause = std::min(2 * pause, kSeldomLook)) {
    const bool last =
        !may_put(question) || (!question.patient && patience.passed(service_->reactor().now()));
    auto put = co_await operate(
        self, "reading what a rank has put",
        [&](void* ticket) { return PMIx_server_dmodex_request(&proc, Ticket::modex_done, ticket); },
        deadline);
    if (!put || last || holds_key(*put, question.key)) co_return put;
    co_await reactor::sleep_for(service_->reactor(), pause);
    if (stopped()) co_return Errc::cancelled;
  }
}

Co<Result<Blob>> PmixServer::modex(ModexQuestion question, Deadline deadline) {
  const auto self = shared_from_this();
  // What concerns a whole job was registered with libpmix; it has no more than that.
  if (question.process.rank >= kEveryRank) co_return Errc::not_found;
  std::vector<ProcessName> whose(1, question.process);
  KRG_CO_TRY_ASSIGN(const std::vector<NodeId> nodes, nodes_of(whose));
  co_return co_await service_->ask(nodes.front(), pack(Ask::modex, question), deadline);
}

void PmixServer::deliver(const EventMessage& event) {
  const auto infos = unpack_infos(event.info, event.info_count);
  if (!infos) {
    KRG_ERROR("malformed PMIx event of {}", event.source.name_space);
    return;
  }
  const pmix_proc_t source = to_proc(event.source);
  const pmix_status_t status = PMIx_Notify_event(event.status, &source, event.range, infos->data(),
                                                 infos->size(), nullptr, nullptr);
  if (status != PMIX_SUCCESS && status != PMIX_OPERATION_SUCCEEDED) {
    KRG_WARN("a PMIx event was not delivered: {}", PMIx_Error_string(status));
  }
}

void PmixServer::send_event(EventMessage event) {
  std::vector<NodeId> nodes;
  for (const auto& [name, job] : service_->jobs()) {
    if (event.range == PMIX_RANGE_NAMESPACE && name != event.source.name_space) continue;
    nodes.insert(nodes.end(), job->layout().nodes.begin(), job->layout().nodes.end());
  }
  std::sort(nodes.begin(), nodes.end());
  nodes.erase(std::unique(nodes.begin(), nodes.end()), nodes.end());
  const Blob question = pack(Ask::event, event);
  for (const NodeId node : nodes) {
    if (node == service_->options().self) continue;
    // A node that can not be told is on its way out: nothing is lost but the news.
    service_->reactor().spawn(
        [](std::shared_ptr<PmixServer> self, NodeId to, Blob what) -> Co<void> {
          if (self->stopped()) co_return;
          const Deadline deadline = self->service().reactor().after(kEventTimeout);
          (void)co_await self->service().ask(to, std::move(what), deadline);
        }(shared_from_this(), node, question));
  }
}

void PmixServer::rank_failed(JobServer::Impl& job, Rank rank, int status) {
  const ProcessName failed{job.description().name_space, rank};
  InfoList list;
  list.process(PMIX_EVENT_AFFECTED_PROC, failed);
  // A program that has not asked for this event must not be ended by a default handler.
  list.flag(PMIX_EVENT_NON_DEFAULT, true);
  list.integer(PMIX_EXIT_CODE, WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
  const Infos infos = list.take();
  EventMessage event;
  event.status = PMIX_ERR_PROC_ABORTED;
  event.range = PMIX_RANGE_NAMESPACE;
  event.source = failed;
  event.info_count = static_cast<std::uint32_t>(infos.size());
  event.info = pack_infos(infos.data(), infos.size());
  deliver(event);
  send_event(std::move(event));
}

ProcessName PmixServer::next_tool() {
  const std::string node = std::to_string(service_->options().self.value);
  return {"krg-tool-" + node + "-" + std::to_string(++tools_), 0};
}

}  // namespace krg::pmix
