#include "krg/jobs/service.h"

#include <unistd.h>

#include "head_job.h"
#include "joined.h"
#include "krg/log/log.h"
#include "krg/tasks/service.h"
#include "messages.h"
#include "node_job.h"

namespace krg::jobs {

namespace {

constexpr Duration kDrainStep = std::chrono::milliseconds(20);

}  // namespace

Service::Service(node::Node& node, proc::Supervisor& supervisor, Pmi& pmi)
    : node_(node),
      supervisor_(supervisor),
      pmi_(pmi),
      tasks_(processes_, ::getpid()),
      moves_(node, supervisor) {
  serve();
  tasks::serve(node_.rpc(), tasks_);
  node_.memory().set_may_leave([this](pid_t pid) {
    const auto sets = tasks_.sets_of(pid);  // Who is no task says so itself.
    return !sets || sets->effective.has(capability::Capability::use_remote_memory);
  });
  moves_.set_may_move(
      [this](pid_t pid) { return tasks_.can_use(pid, capability::Capability::can_migrate); });
  node_.add_listener(*this);
  node_.on_lost([this](NodeId lost, Error why) { node_lost(lost, why); });
  node_.set_describe([this](node::Status::Reply& reply) {
    reply.tasks = static_cast<std::uint32_t>(supervisor_.running());
    reply.jobs = static_cast<std::uint32_t>(parts_.size());
  });
}

Service::~Service() = default;

NodeJob* Service::part(JobId job) const noexcept {
  const auto at = parts_.find(job);
  return at == parts_.end() ? nullptr : at->second.get();
}

void Service::drop_part(JobId job) {
  const auto at = parts_.find(job);
  if (at == parts_.end()) return;
  node_.watch().end(at->second->head());
  parts_.erase(at);
}

void Service::serve() {
  rpc::Rpc& rpc = node_.rpc();
  static constexpr Error kNoJob(Errc::not_found, "no such job here");
  rpc.serve<Prepare>(
      [this](rpc::Incoming& incoming, Prepare::Request request) -> Co<Result<Prepare::Reply>> {
        KRG_CO_TRY(check(request.spec));
        if (draining_) co_return Error(Errc::shutting_down, "the node leaves the cluster");
        if (part(request.job) != nullptr) co_return Error(Errc::already_exists, "the job is here");
        std::string refusal;
        if (request.first_rank > 0) refusal = bind_here(request.spec, request.first_rank);
        const auto job =
            std::make_shared<NodeJob>(node_, supervisor_, tasks_, request.job, incoming.from(),
                                      ++last_group_, std::move(request.spec), request.first_rank);
        job->refuse(std::move(refusal));
        parts_.emplace(request.job, job);
        node_.watch().begin(incoming.from());
        if (const Status ready = co_await job->prepare(pmi_); !ready) {
          drop_part(request.job);
          co_return ready.error();
        }
        co_return Prepare::Reply{};
      });
  rpc.serve<Launch>([this](rpc::Incoming&, Launch::Request& request) -> Result<Launch::Reply> {
    NodeJob* const job = part(request.job);
    if (job == nullptr) return kNoJob;
    return job->launch();
  });
  rpc.serve<SendSignal>(
      [this](rpc::Incoming&, SendSignal::Request& request) -> Result<SendSignal::Reply> {
        NodeJob* const job = part(request.job);
        if (job == nullptr) return kNoJob;
        job->signal(request.rank, request.number);
        return SendSignal::Reply{};
      });
  rpc.serve<Feed>([this](rpc::Incoming&, Feed::Request request) -> Co<Result<Feed::Reply>> {
    NodeJob* const job = part(request.job);
    if (job == nullptr) co_return kNoJob;
    co_return Feed::Reply{co_await job->feed(request.rank, std::move(request.bytes))};
  });
  rpc.serve<End>([this](rpc::Incoming&, End::Request request) -> Co<Result<End::Reply>> {
    NodeJob* const job = part(request.job);
    if (job == nullptr) co_return End::Reply{true};  // Prepare had failed here.
    const bool clean = co_await job->end(std::chrono::milliseconds(request.grace_ms));
    drop_part(request.job);
    co_return End::Reply{clean};
  });
  rpc.serve<Report>(
      [this](rpc::Incoming& incoming, Report::Request request) -> Co<Result<Report::Reply>> {
        const std::shared_ptr<HeadJob> job = led(request.job);
        if (job == nullptr) co_return kNoJob;
        KRG_CO_TRY(co_await job->report(incoming.from(), std::move(request)));
        co_return Report::Reply{};
      });
  rpc.serve<Spawn>([this](rpc::Incoming&, Spawn::Request request) -> Co<Result<Spawn::Reply>> {
    const std::shared_ptr<HeadJob> job = led(request.job);
    if (job == nullptr) co_return kNoJob;
    KRG_CO_TRY_ASSIGN(std::string name, co_await job->spawn(std::move(request.spawn)));
    co_return Spawn::Reply{std::move(name)};
  });
}

// Only who is here knows the machine. Reading it takes about a millisecond, once for a job that
// grows.
std::string Service::bind_here(JobSpec& spec, std::uint32_t first_rank) const {
  const auto machine = topo::Topology::machine();
  if (!machine) return spec.elastic.bind_stated ? machine.error().message() : std::string();
  return bind_joined(spec, node_.self(), first_rank, *machine,
                     part_of(node_.view(), node_.self(), *machine));
}

std::shared_ptr<HeadJob> Service::led(JobId job) const noexcept {
  const auto at = led_.find(job);
  return at == led_.end() ? nullptr : at->second.lock();
}

std::shared_ptr<HeadJob> Service::add(JobSpec spec, control::Connection* client,
                                      std::shared_ptr<HeadJob> parent) {
  const JobId id{std::uint64_t{node_.self().value} << 32 | ++last_job_};
  auto adopt = [this](JobSpec child, HeadJob& of) {
    return add(std::move(child), of.client(), of.shared_from_this());
  };
  const auto job = std::make_shared<HeadJob>(node_, id, std::move(spec), client, std::move(adopt),
                                             std::move(parent));
  std::erase_if(led_, [](const auto& entry) { return entry.second.expired(); });
  led_.emplace(id, job);
  return job;
}

Result<std::shared_ptr<HeadJob>> Service::lead(JobSpec spec, control::Connection& client) {
  KRG_TRY(check(spec));
  if (draining_) return Error(Errc::shutting_down, "this node leaves the cluster");
  for (const NodeId node : spec.nodes) {
    const cluster::Member* const member = node_.view().find(node);
    if (member == nullptr || member->state != cluster::NodeState::online) {
      return Error(Errc::invalid_argument, "the job names a node that is not here").with_peer(node);
    }
  }
  const std::shared_ptr<HeadJob> job = add(std::move(spec), &client, nullptr);
  const auto run = [](std::shared_ptr<HeadJob> led) -> Co<void> { co_await led->run(); };
  node_.reactor().spawn(run(job));
  return job;
}

bool Service::is_idle() {
  std::erase_if(led_, [](const auto& entry) { return entry.second.expired(); });
  return parts_.empty() && led_.empty() && moves_.idle();
}

// A task can not be moved yet: its node waits for its end.
Co<Status> Service::prepare(const cluster::ViewChange& change, Deadline deadline) {
  if (!change.leaving.contains(node_.self())) co_return Status();
  draining_ = true;
  while (!is_idle()) {
    // What has failed meanwhile is not to wait for our tasks.
    const bool outdated = node_.membership()->roster().epoch != change.before.epoch;
    if (outdated || deadline.passed(node_.reactor().now())) {
      draining_ = false;
      co_return Error(outdated ? Errc::cancelled : Errc::timed_out, "tasks still run");
    }
    co_await reactor::sleep_for(node_.reactor(), kDrainStep);
  }
  co_return Status();
}

void Service::node_lost(NodeId node, Error why) {
  std::vector<std::shared_ptr<HeadJob>> jobs;
  for (const auto& [id, job] : led_) {
    if (auto alive = job.lock()) jobs.push_back(std::move(alive));
  }
  for (const auto& job : jobs) job->node_lost(node, why);
  const auto end = [](Service& self, JobId id, std::shared_ptr<NodeJob> job) -> Co<void> {
    co_await job->end(Duration::zero());
    self.drop_part(id);
  };
  for (const auto& [id, job] : parts_) {
    if (job->head() != node) continue;
    KRG_WARN("job {} ends: node {}, which led it, is lost", id.value, node.value);
    node_.reactor().spawn(end(*this, id, job));
  }
}

}  // namespace krg::jobs
