#include "krg/pmix/job_server.h"

#include <sys/wait.h>

#include <algorithm>

#include "environment.h"
#include "job_server_impl.h"
#include "krg/base/assert.h"
#include "krg/log/log.h"
#include "pmix_server.h"

namespace krg::pmix {

JobServer::Impl::Impl(std::shared_ptr<Service::Impl> service, JobDescription description,
                      Layout layout, JobListener& listener)
    : service_(std::move(service)),
      description_(std::move(description)),
      layout_(std::move(layout)),
      listener_(listener),
      pmi1_(std::make_shared<Pmi1Job>(*this, service_->options().finalize_patience)) {}

JobServer::Impl::~Impl() = default;

void JobServer::Impl::close() {
  closed_ = true;
  pmi1_->close();
  if (service_->job(description_.name_space) == this) {
    service_->forget_job(description_.name_space);
    if (PmixServer* pmix = service_->pmix()) pmix->remove_job(description_.name_space);
  }
}

Result<RankLaunch> JobServer::Impl::rank_environment(Rank rank,
                                                     const std::vector<std::string>& user) {
  KRG_ASSERT(std::binary_search(layout_.mine.begin(), layout_.mine.end(), rank));
  RankLaunch launch;
  KRG_TRY_ASSIGN(const int fd, pmi1_->open(rank));
  launch.fds.push_back(fd);

  const auto text = [](std::size_t value) { return std::to_string(value); };
  const std::size_t size = description_.ranks.size();
  const std::size_t local_size = layout_.ranks_of_host[layout_.host_of[rank]].size();
  const std::uint32_t local_rank = layout_.local_rank[rank];
  Environment environment(user);
  for (const std::string& entry : description_.apps[description_.ranks[rank].app].environment) {
    environment.set_entry(entry);
  }
  // MPICH: PMI-1 by an inherited socket. MPICH 5 refuses to choose when it sees PMIx as well.
  environment.set("PMI_FD", text(static_cast<std::size_t>(fd)));
  environment.set("PMI_RANK", text(rank));
  environment.set("PMI_SIZE", text(size));
  if (description_.parent) environment.set("PMI_SPAWNED", "1");
  environment.set_default("MPIR_CVAR_PMI_VERSION", "1");
  // Programs and scripts look at what Hydra and mpirun set.
  environment.set("MPI_LOCALRANKID", text(local_rank));
  environment.set("MPI_LOCALNRANKS", text(local_size));
  environment.set("OMPI_COMM_WORLD_RANK", text(rank));
  environment.set("OMPI_COMM_WORLD_SIZE", text(size));
  environment.set("OMPI_COMM_WORLD_LOCAL_RANK", text(local_rank));
  environment.set("OMPI_COMM_WORLD_LOCAL_SIZE", text(local_size));
  environment.set("OMPI_COMM_WORLD_NODE_RANK", text(local_rank));
  if (PmixServer* pmix = service_->pmix()) {
    KRG_TRY(pmix->add_rank_environment(*this, rank, environment));
  }
  progress_[rank] = {.running = true};
  launch.environment = std::move(environment).take();
  return launch;
}

void JobServer::Impl::rank_started(Rank rank, pid_t pid) {
  progress_[rank].pid = pid;
  pmi1_->started(rank);
}

void JobServer::Impl::rank_exited(Rank rank, int status) {
  pmi1_->exited(rank);
  // What libpmix heard from the rank lies in the mailbox in front of this letter.
  service_->reactor().mailbox().post([self = shared_from_this(), rank, status] {
    if (!self->closed_) self->judge_exit(rank, status);
  });
}

void JobServer::Impl::judge_exit(Rank rank, int status) {
  Progress& progress = progress_[rank];
  if (!progress.running) return;
  progress.running = false;
  const bool midway = progress.initialized && !progress.finalized;
  const bool well = WIFEXITED(status) && WEXITSTATUS(status) == 0;
  if (PmixServer* pmix = service_->pmix(); pmix != nullptr && !well) {
    pmix->rank_failed(*this, rank, status);
  }
  if (well && midway) abort(rank, 1, "ended without MPI_Finalize");
}

void JobServer::Impl::fenced(Rank rank) {
  for (auto& [one, progress] : progress_) {
    if (rank == one || rank == kEveryRank) progress.fenced = true;
  }
}

void JobServer::Impl::initialized(Rank rank) {
  progress_[rank].initialized = true;
  if (!closed_) listener_.on_initialized(rank);
}

void JobServer::Impl::abort(Rank rank, int code, const std::string& message) {
  if (!closed_) listener_.on_abort(rank, code, message);
}

JobServer::JobServer(std::shared_ptr<Impl> impl) noexcept : impl_(std::move(impl)) {}

JobServer::~JobServer() { impl_->close(); }

const JobDescription& JobServer::description() const noexcept { return impl_->description(); }

Result<RankLaunch> JobServer::rank_environment(Rank rank, const std::vector<std::string>& user) {
  return impl_->rank_environment(rank, user);
}

void JobServer::rank_started(Rank rank, pid_t pid) { impl_->rank_started(rank, pid); }

void JobServer::rank_exited(Rank rank, int status) { impl_->rank_exited(rank, status); }

std::uint64_t JobServer::pmi1_requests() const noexcept { return impl_->pmi1().requests(); }

}  // namespace krg::pmix
