#include "node_job.h"

#include <csignal>

#include "krg/log/log.h"
#include "krg/settings/given.h"

namespace krg::jobs {
namespace {

// So much output may wait for the head before the tasks' pipes are left unread.
constexpr std::size_t kReportsMax = 512 * 1024;
constexpr std::size_t kReportBytes = 256 * 1024;
constexpr Duration kClearTime = std::chrono::seconds(5);
constexpr std::size_t kSpawnBatch = 16;
constexpr Duration kSpawnTime = std::chrono::seconds(60);
constexpr Duration kSignalTime = std::chrono::seconds(30);

std::vector<std::byte> bytes_of(const std::string& text) {
  const auto bytes = std::as_bytes(std::span(text));
  return {bytes.begin(), bytes.end()};
}

// For the process-management server, which wants it as wait(2) tells it.
int wait_status(const proc::ExitStatus& status) {
  return status.signal != 0 ? status.signal : (status.code & 0xff) << 8;
}

std::string cpu_list(const std::vector<std::uint32_t>& cpus) {
  std::string list;
  for (const std::uint32_t cpu : cpus) list += (list.empty() ? "" : ",") + std::to_string(cpu);
  return list;
}

}  // namespace

struct NodeJob::Rank {
  std::uint32_t rank = 0;
  proc::TaskId task;
  bool running = false;
};

NodeJob::NodeJob(node::Node& node, proc::Supervisor& supervisor, tasks::Table& tasks, JobId id,
                 NodeId head, std::uint32_t group, JobSpec spec, std::uint32_t first_rank)
    : node_(node),
      supervisor_(supervisor),
      tasks_(tasks),
      id_(id),
      head_(head),
      group_(group),
      spec_(std::move(spec)),
      reported_(node.reactor()),
      input_room_(node.reactor()) {
  reported_.set();
  for (std::uint32_t r = first_rank; r < spec_.ranks.size(); ++r) {
    if (spec_.nodes[spec_.ranks[r].node] != node_.self()) continue;
    ranks_.push_back(std::make_unique<Rank>());
    ranks_.back()->rank = r;
  }
}

NodeJob::~NodeJob() = default;

// What the process-management servers must know of the job.
static pmix::JobDescription describe(const node::Node& node, const JobSpec& spec, JobId id,
                                     const std::string& folder) {
  pmix::JobDescription job;
  job.name_space = name_space(node.options().cluster, id);
  for (const NodeId n : spec.nodes) job.nodes.push_back({n, node.host_of(n)});
  for (const RankSpec& rank : spec.ranks) {
    job.ranks.push_back({rank.node, rank.app, cpu_list(rank.cpus)});
  }
  for (const AppSpec& app : spec.apps) job.apps.push_back({app.argv, app.directory, app.overrides});
  job.universe_size = spec.universe_size;
  if (!spec.map_by.empty()) job.map_by = spec.map_by;
  if (!spec.rank_by.empty()) job.rank_by = spec.rank_by;
  if (!spec.bind_to.empty()) job.bind_to = spec.bind_to;
  job.oversubscribed = spec.oversubscribed;
  job.folder = folder;
  job.parent = spec.parent;
  job.preput = spec.preput;
  return job;
}

Co<Status> NodeJob::prepare(Pmi& pmi) {
  KRG_CO_TRY_ASSIGN(pmix::Service * service, pmi.service(spec_.pmix, spec_.finalize_breaker));
  KRG_CO_TRY_ASSIGN(server_,
                    co_await service->create_job(describe(node_, spec_, id_, pmi.folder()), *this));
  co_return Status();
}

// How a rank is to be started. The server has its environment, and wants to hear how it went.
Result<proc::TaskSpec> NodeJob::task_of(const Rank& rank) {
  const RankSpec& placed = spec_.ranks[rank.rank];
  const AppSpec& app = spec_.apps[placed.app];
  KRG_TRY_ASSIGN(pmix::RankLaunch launch, server_->rank_environment(rank.rank, app.environment));
  proc::TaskSpec task;
  task.program = app.program;
  task.argv = app.argv;
  task.env = std::move(launch.environment);
  // A krgrun inside a task hands on those of its own.
  std::erase_if(task.env, [](const std::string& entry) { return settings::is_given(entry); });
  const auto give = [&](std::string_view variable, const std::string& value) {
    task.env.push_back(std::string(variable) + "=" + value);
  };
  give(settings::kRank, std::to_string(rank.rank));
  give(settings::kSize, std::to_string(spec_.ranks.size()));
  give(settings::kLocalRank, std::to_string(placed.local_rank));
  give(settings::kNode, std::to_string(node_.self().value));
  if (!node_.gate_path().empty()) give(settings::kGate, node_.gate_path());
  task.working_directory = app.directory;
  task.cpus = placed.cpus;
  for (const int fd : launch.fds) task.fds.push_back({fd, fd});
  task.input = reads(rank) ? proc::Input::pipe : proc::Input::none;
  task.group = group_;
  return task;
}

void NodeJob::started(Rank& rank, proc::TaskId task) {
  rank.task = task;
  rank.running = true;
  by_task_.emplace(task, &rank);
  const pid_t pid = supervisor_.pid(task);
  tasks_.begin(pid, spec_.apps[spec_.ranks[rank.rank].app].capabilities);
  server_->rank_started(rank.rank, pid);
  add({Report::Kind::start, rank.rank, 0, {.code = pid}, {}});
}

bool NodeJob::reads(const Rank& rank) const noexcept {
  return spec_.input_to == InputTo::all ||
         (spec_.input_to == InputTo::one && spec_.input_rank == rank.rank);
}

Launch::Reply NodeJob::refusal(const Rank& rank, const Error& error) const {
  const bool missing = error == Errc::not_found || error == Errc::denied;
  const AppSpec& app = spec_.apps[spec_.ranks[rank.rank].app];
  const std::string what = error.what() == nullptr ? error.message() : error.what();
  const bool directory = what.find("directory") != std::string::npos;
  return {false, rank.rank, (directory ? app.directory : app.argv[0]) + ": " + what, missing};
}

// In batches: each rank of one holds some descriptors until it is started.
Launch::Reply NodeJob::launch() {
  if (!refusal_.empty()) return {false, ranks_.empty() ? 0 : ranks_.front()->rank, refusal_, false};
  for (std::size_t begin = 0; begin < ranks_.size(); begin += kSpawnBatch) {
    const auto batch =
        std::span(ranks_).subspan(begin, std::min(kSpawnBatch, ranks_.size() - begin));
    std::vector<proc::TaskSpec> tasks;
    for (const auto& rank : batch) {
      auto task = task_of(*rank);
      if (!task) return refusal(*rank, task.error());
      tasks.push_back(std::move(*task));
    }
    Launch::Reply reply;
    const auto ids = supervisor_.spawn_all(tasks, *this);
    for (std::size_t i = 0; i < batch.size(); ++i) {
      if (ids[i]) {
        started(*batch[i], *ids[i]);
        continue;
      }
      server_->rank_exited(batch[i]->rank, wait_status({.code = 127}));
      if (reply.started) reply = refusal(*batch[i], ids[i].error());
    }
    if (!reply.started) return reply;
  }
  return {};
}

void NodeJob::signal(std::uint32_t rank, int number) {
  for (const auto& one : ranks_) {
    if (one->running && (rank == kEveryRank || rank == one->rank)) {
      (void)supervisor_.signal(one->task, number);
    }
  }
}

// Offers the bytes to every reader that has not had them; true if anybody still reads.
Co<bool> NodeJob::feed(std::uint32_t rank, std::vector<std::byte> bytes) {
  const auto self = shared_from_this();
  bool more = false;
  for (const auto& one : ranks_) {
    if (!one->running || !reads(*one) || (rank != kEveryRank && rank != one->rank)) continue;
    if (bytes.empty()) {
      supervisor_.close_input(one->task);
      continue;
    }
    while (one->running && !ending_) {
      const Status taken = supervisor_.write_input(one->task, bytes);
      more = more || taken;
      if (taken || taken.error() != Errc::would_block) break;
      input_room_.clear();
      // The task may read late or never; its end, or the job's, sets the event too.
      (void)co_await input_room_.wait(Deadline::never());
    }
  }
  co_return more;
}

Co<bool> NodeJob::end(Duration grace) {
  const auto self = shared_from_this();
  ending_ = true;
  input_room_.set();
  reactor::Reactor& reactor = node_.reactor();
  if (grace > Duration::zero() && !by_task_.empty()) {
    supervisor_.signal_group(group_, SIGCONT);
    supervisor_.signal_group(group_, SIGTERM);
    const Deadline patience = reactor.after(grace);
    while (!by_task_.empty() && !patience.passed(reactor.now())) {
      co_await reactor::sleep_for(reactor, std::chrono::milliseconds(2));
    }
  }
  supervisor_.resume_output(group_);
  const Deadline deadline = reactor.after(kClearTime);
  bool clean = co_await supervisor_.clear_group(group_, deadline);
  while (!by_task_.empty() && !deadline.passed(reactor.now())) {
    co_await reactor::sleep_for(reactor, std::chrono::microseconds(500));
  }
  clean = clean && by_task_.empty();
  // Nobody would be told: then nothing is waited for.
  if (!head_lost_) (void)co_await reported_.wait(deadline);
  server_.reset();
  co_return clean;
}

void NodeJob::add(Report::Event event) {
  if (head_lost_) return;
  event_bytes_ += event.text.size();
  events_.push_back(std::move(event));
  if (event_bytes_ > kReportsMax && !ending_) supervisor_.pause_output(group_);
  if (reporting_) return;
  reporting_ = true;
  reported_.clear();
  node_.reactor().spawn(report(shared_from_this()));
}

Co<void> NodeJob::report(std::shared_ptr<NodeJob> self) {
  while (!self->events_.empty() && !self->head_lost_) {
    Report::Request request{self->id_, {}};
    std::size_t bytes = 0;
    while (!self->events_.empty() && bytes < kReportBytes) {
      bytes += self->events_.front().text.size();
      request.events.push_back(std::move(self->events_.front()));
      self->events_.pop_front();
    }
    self->event_bytes_ -= bytes;
    // The user's terminal may be stopped for hours; the head's death ends the call.
    const auto answer = co_await self->node_.rpc().call<Report>(self->head_, request,
                                                                {.deadline = Deadline::never()});
    if (!answer) self->head_lost_ = true;
    if (self->event_bytes_ < kReportsMax / 2) self->supervisor_.resume_output(self->group_);
  }
  self->reporting_ = false;
  self->reported_.set();
}

void NodeJob::on_output(proc::TaskId task, proc::Stream stream, std::span<const std::byte> text) {
  const auto at = by_task_.find(task);
  if (at == by_task_.end()) return;  // Written by what a task has left behind.
  add({Report::Kind::output,
       at->second->rank,
       static_cast<std::uint8_t>(stream),
       {},
       {text.begin(), text.end()}});
}

void NodeJob::on_input_room(proc::TaskId) { input_room_.set(); }

void NodeJob::on_exit(proc::TaskId task, const proc::ExitStatus& status) {
  const auto at = by_task_.find(task);
  if (at == by_task_.end()) return;
  Rank& rank = *at->second;
  by_task_.erase(at);
  rank.running = false;
  add({Report::Kind::exit, rank.rank, 0, status, {}});
  if (server_ != nullptr) server_->rank_exited(rank.rank, wait_status(status));
  input_room_.set();
}

void NodeJob::on_initialized(pmix::Rank rank) {
  if (spec_.is_elastic()) add({Report::Kind::managed, rank, 0, {}, {}});
}

void NodeJob::on_abort(pmix::Rank rank, int code, const std::string& message) {
  add({Report::Kind::abort, rank, 0, {.code = code}, bytes_of(message)});
}

Co<Result<std::string>> NodeJob::on_spawn(pmix::SpawnRequest request) {
  const auto self = shared_from_this();
  const Spawn::Request ask{id_, std::move(request)};
  const Deadline deadline = node_.reactor().after(kSpawnTime);
  auto reply = co_await node_.rpc().call<Spawn>(head_, ask, {.deadline = deadline});
  if (!reply) co_return reply.error();
  co_return std::move(reply->name_space);
}

// The ranks that a rank or a tool wants to signal may be of any node.
void NodeJob::on_signal(std::vector<pmix::ProcessName> targets, int number) {
  for (const pmix::ProcessName& target : targets) {
    const std::uint32_t rank = target.rank == pmix::kEveryRank ? kEveryRank : target.rank;
    if (rank != kEveryRank && rank >= spec_.ranks.size()) continue;
    for (std::size_t i = 0; i < spec_.nodes.size(); ++i) {
      if (rank != kEveryRank && spec_.ranks[rank].node != i) continue;
      if (spec_.nodes[i] == node_.self()) {
        signal(rank, number);
      } else {
        node_.reactor().spawn(pass_signal(shared_from_this(), spec_.nodes[i], rank, number));
      }
    }
  }
}

Co<void> NodeJob::pass_signal(std::shared_ptr<NodeJob> self, NodeId node, std::uint32_t rank,
                              int number) {
  const SendSignal::Request request{self->id_, rank, number};
  (void)co_await self->node_.rpc().call<SendSignal>(
      node, request,
      {.deadline = self->node_.reactor().after(kSignalTime), .priority = rpc::Priority::control});
}

void NodeJob::on_log(pmix::Rank rank, const std::string& text) {
  add({Report::Kind::notice, rank, 0, {}, bytes_of(text)});
}

}  // namespace krg::jobs
