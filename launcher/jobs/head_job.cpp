#include "head_job.h"

#include <algorithm>
#include <csignal>

#include "krg/log/log.h"

namespace krg::jobs {
namespace {

constexpr Duration kAnswerTime = std::chrono::seconds(30);
// A node that ends its part needs the grace and the time to kill; then it is not waited for.
constexpr Duration kEndTime = std::chrono::seconds(7);
constexpr int kLostCode = 1;

}  // namespace

std::string name_space(const std::string& cluster, JobId job) {
  return cluster + "-" + std::to_string(job.value);
}

HeadJob::HeadJob(node::Node& node, JobId id, JobSpec spec, control::Connection* client, Adopt adopt,
                 std::shared_ptr<HeadJob> parent)
    : node_(node),
      id_(id),
      spec_(std::move(spec)),
      client_(client),
      adopt_(std::move(adopt)),
      parent_(std::move(parent)),
      changed_(node.reactor()),
      ended_(spec_.ranks.size()),
      left_(spec_.ranks.size()) {
  for (const NodeId known : spec_.elastic.known) {
    const cluster::Member* const member = node_.view().find(known);
    if (member != nullptr) lives_[known] = member->incarnation;
  }
}

HeadJob::~HeadJob() = default;

std::string HeadJob::name_of(NodeId node) const {
  return "node " + std::to_string(node.value) + " (host " + node_.host_of(node) + ")";
}

std::string HeadJob::place_of(std::uint32_t rank) const {
  return "rank " + std::to_string(rank) + " on " + name_of(spec_.nodes[spec_.ranks[rank].node]);
}

bool HeadJob::uses(NodeId node) const noexcept {
  return std::find(spec_.nodes.begin(), spec_.nodes.end(), node) != spec_.nodes.end();
}

bool HeadJob::is_lost(NodeId node) const noexcept {
  return !node_.view().contains(node) || std::find(lost_.begin(), lost_.end(), node) != lost_.end();
}

// The first verdict stands: what follows is its consequence.
void HeadJob::decide(Verdict verdict) {
  if (!verdict_) verdict_ = std::move(verdict);
  changed_.set();
}

// A lost node is the cause of what ranks that missed it did: MPI libraries abort by themselves.
void HeadJob::decide_loss(const std::string& text) {
  judged_ = true;
  if (verdict_ && verdict_->by_rank) verdict_.reset();
  decide({kLostCode, text});
}

// Runs `each` for all nodes at once and waits for all.
template <class F>
Co<void> HeadJob::on_every_node(F each) {
  reactor::WaitGroup group(node_.reactor());
  // By value: the frame of a spawned coroutine outlives this loop's turn.
  const auto one = [](HeadJob& self, F what, NodeId node, reactor::WaitGroup& done) -> Co<void> {
    co_await (self.*what)(node);
    done.done();
  };
  for (const NodeId node : spec_.nodes) {
    if (is_lost(node)) continue;
    group.add();
    node_.reactor().spawn(one(*this, each, node, group));
  }
  // Every call in `each` has its own deadline.
  (void)co_await group.wait(Deadline::never());
}

Co<void> HeadJob::prepare(NodeId node) {
  const Prepare::Request request{id_, spec_};
  const auto reply = co_await node_.rpc().call<Prepare>(
      node, request, {.deadline = node_.reactor().after(kAnswerTime)});
  if (!reply) decide({1, name_of(node) + " can not take the job: " + reply.error().message()});
}

Co<void> HeadJob::launch(NodeId node) {
  const Launch::Request request{id_};
  const auto reply = co_await node_.rpc().call<Launch>(
      node, request, {.deadline = node_.reactor().after(kAnswerTime)});
  if (!reply) {
    decide({1, name_of(node) + " could not start its ranks: " + reply.error().message()});
  } else if (!reply->started) {
    // As a shell would: 127 not found, 126 not executable.
    decide({reply->missing ? 127 : 126,
            place_of(std::min<std::uint32_t>(reply->rank,
                                             static_cast<std::uint32_t>(ended_.size() - 1))) +
                " could not be started: " + reply->why});
  }
}

Co<void> HeadJob::end(NodeId node) {
  const bool grace = verdict_ && verdict_->grace;
  const End::Request request{id_, grace ? spec_.kill_grace_ms : 0};
  const Duration time = kEndTime + std::chrono::milliseconds(request.grace_ms);
  const auto reply =
      co_await node_.rpc().call<End>(node, request, {.deadline = node_.reactor().after(time)});
  if (!reply) {
    tell(Notice{name_of(node) +
                " did not say that its ranks have ended: " + reply.error().message()});
  } else if (!reply->clean) {
    tell(Notice{name_of(node) + " could not kill everything that the job has started"});
  }
}

Co<void> HeadJob::run() {
  const auto self = shared_from_this();
  const bool prepared = co_await get_ready();
  if (prepared) co_await on_every_node(&HeadJob::launch);
  co_await go_on();
  tell(Ended{verdict_ ? verdict_->code : 0, verdict_ ? verdict_->text : ""});
}

Co<bool> HeadJob::get_ready() {
  for (const NodeId node : spec_.nodes) watch(node);
  co_await on_every_node(&HeadJob::prepare);
  co_return !verdict_.has_value();
}

// From the launch to the end of everything.
Co<void> HeadJob::go_on() {
  launched_ = true;
  if (!verdict_ && parent_ == nullptr) tell(Started{id_});
  if (spec_.is_elastic()) begin_growing();
  while ((left_ > 0 || running_children_ > 0) && !verdict_) {
    changed_.clear();
    // Ends by the ranks' ends, a loss, or the client.
    (void)co_await changed_.wait(Deadline::never());
  }
  for (const auto& weak : children_) {
    if (const auto child = weak.lock()) child->stop({1, "the job that spawned it has ended", true});
  }
  events_.reset();
  while (changing_ > 0) {
    changed_.clear();
    // Each call to their nodes has its own deadline.
    (void)co_await changed_.wait(Deadline::never());
  }
  co_await on_every_node(&HeadJob::end);
  while (judging_ && !judged_) {
    changed_.clear();
    // judge_losses() waits for a second at most.
    (void)co_await changed_.wait(Deadline::never());
  }
  while (running_children_ > 0) {
    changed_.clear();
    // Their nodes answer, or are given up.
    (void)co_await changed_.wait(Deadline::never());
  }
  while (!watched_.empty()) unwatch(watched_.back());
}

void HeadJob::watch(NodeId node) {
  if (std::find(watched_.begin(), watched_.end(), node) != watched_.end()) return;
  watched_.push_back(node);
  node_.watch().begin(node);
}

void HeadJob::unwatch(NodeId node) {
  if (std::erase(watched_, node) > 0) node_.watch().end(node);
}

// A spawned job's bad end is its parent's.
Co<void> HeadJob::go_on_as_child() {
  if (!verdict_) co_await on_every_node(&HeadJob::launch);
  co_await go_on();
  if (verdict_) parent_->decide(*verdict_);
  --parent_->running_children_;
  parent_->changed_.set();
}

// The parent's nodes take the new ranks in turn.
JobSpec HeadJob::child_spec(pmix::SpawnRequest request) const {
  JobSpec child;
  child.nodes = spec_.nodes;
  child.pmix = spec_.pmix;
  child.finalize_breaker = spec_.finalize_breaker;
  child.kill_grace_ms = spec_.kill_grace_ms;
  child.oversubscribed = spec_.oversubscribed;
  child.universe_size = spec_.universe_size;
  child.map_by = "node";
  child.parent = request.parent;
  child.preput = std::move(request.preput);
  const std::uint32_t spawner = std::min<std::uint32_t>(
      request.parent.rank, static_cast<std::uint32_t>(spec_.ranks.size() - 1));
  const AppSpec& model = spec_.apps[spec_.ranks[spawner].app];
  std::vector<std::uint32_t> on_node(spec_.nodes.size());
  for (pmix::SpawnApp& app : request.apps) {
    const auto index = static_cast<std::uint32_t>(child.apps.size());
    child.apps.push_back(
        {"", std::move(app.argv), app.working_folder.empty() ? model.directory : app.working_folder,
         model.environment, std::move(app.environment), capability::forked(model.capabilities)});
    for (std::uint32_t i = 0; i < app.processes; ++i) {
      const auto node = static_cast<std::uint32_t>(child.ranks.size() % spec_.nodes.size());
      child.ranks.push_back({node, index, on_node[node]++, {}});
    }
  }
  return child;
}

Co<Result<std::string>> HeadJob::spawn(pmix::SpawnRequest request) {
  const auto self = shared_from_this();
  JobSpec spec = child_spec(std::move(request));
  if (const Status sound = check(spec); !sound) co_return sound.error();
  if (verdict_) co_return Error(Errc::shutting_down, "the job ends");
  const std::shared_ptr<HeadJob> child = adopt_(std::move(spec), *this);
  children_.push_back(child);
  ++running_children_;
  const bool prepared = co_await child->get_ready();
  // Whether or not it is ready, this ends it in order; and it keeps the child until then.
  const auto go_on = [](std::shared_ptr<HeadJob> job) -> Co<void> {
    co_await job->go_on_as_child();
  };
  node_.reactor().spawn(go_on(child));
  if (!prepared) co_return Error(Errc::system_error, "the spawned job could not be prepared");
  co_return name_space(node_.options().cluster, child->id_);
}

void HeadJob::stop(Stop why) { decide({why.code, why.text, why.grace}); }

void HeadJob::abandon() {
  client_ = nullptr;
  for (const auto& weak : children_) {
    if (const auto child = weak.lock()) child->client_ = nullptr;
  }
  decide({1, "the client is gone", false});
}

void HeadJob::signal(int number) {
  // Ranks that are still to be started would not hear of it, and go on for ever.
  const bool deadly =
      number == SIGINT || number == SIGTERM || number == SIGQUIT || number == SIGHUP;
  if (deadly && !launched_) return decide({128 + number, "interrupted while starting", true});
  const auto send = [](std::shared_ptr<HeadJob> self, NodeId node, int n) -> Co<void> {
    const SendSignal::Request request{self->id_, kEveryRank, n};
    (void)co_await self->node_.rpc().call<SendSignal>(
        node, request,
        {.deadline = self->node_.reactor().after(kAnswerTime), .priority = rpc::Priority::control});
  };
  for (const NodeId node : spec_.nodes) {
    if (!is_lost(node)) node_.reactor().spawn(send(shared_from_this(), node, number));
  }
}

void HeadJob::input(std::vector<std::byte> bytes) {
  const auto forward = [](std::shared_ptr<HeadJob> job, std::vector<std::byte> piece) -> Co<void> {
    co_await job->forward_input(std::move(piece));
  };
  node_.reactor().spawn(forward(shared_from_this(), std::move(bytes)));
}

// To the nodes that have readers; the client may send the next when all have taken these.
Co<void> HeadJob::forward_input(std::vector<std::byte> bytes) {
  const auto self = shared_from_this();
  const bool one = spec_.input_to == InputTo::one;
  Feed::Request request{id_, one ? spec_.input_rank : kEveryRank, std::move(bytes)};
  bool more = false;
  input_over_ = input_over_ || request.bytes.empty();
  std::vector<NodeId> readers = spec_.nodes;  // The job may grow meanwhile.
  if (spec_.input_to == InputTo::none) readers.clear();
  if (one) readers = {spec_.nodes[spec_.ranks[spec_.input_rank].node]};
  for (const NodeId node : readers) {
    // A task may read late or never; its end, or the node's, ends the call.
    const auto reply =
        co_await node_.rpc().call<Feed>(node, request, {.deadline = Deadline::never()});
    more = more || (reply && reply->more);
  }
  input_over_ = input_over_ || !more;  // The client sends nothing after that.
  tell(InputTaken{more});
}

Co<Status> HeadJob::report(NodeId from, Report::Request request) {
  const auto self = shared_from_this();
  for (const Report::Event& event : request.events) apply(from, event);
  if (client_ != nullptr) {
    // The user's terminal may be stopped for hours; a client that is gone sets the event.
    (void)co_await client_->room(Deadline::never());
  }
  co_return Status();
}

void HeadJob::apply(NodeId from, const Report::Event& event) {
  if (event.rank >= ended_.size() || spec_.nodes[spec_.ranks[event.rank].node] != from) {
    KRG_ERROR("node {} reports rank {}, which it does not have", from.value, event.rank);
    return;
  }
  if (spec_.is_elastic() && is_lost(from)) return;  // The job goes on without it.
  const std::string text(reinterpret_cast<const char*>(event.text.data()), event.text.size());
  switch (event.kind) {
    case Report::Kind::output:
      return tell(Output{event.rank, event.stream, event.text});
    case Report::Kind::start:
      if (parent_ == nullptr) tell(RankStarted{event.rank, event.status.code});
      return;
    case Report::Kind::notice:
      return tell(Notice{place_of(event.rank) + ": " + text});
    case Report::Kind::abort:
      return decide({event.status.code == 0 ? 1 : event.status.code & 0xff,
                     place_of(event.rank) + " aborted the job with code " +
                         std::to_string(event.status.code) + (text.empty() ? "" : ": " + text),
                     true, true});
    case Report::Kind::managed:
      return decide({1, place_of(event.rank) +
                            " uses MPI (or PMI), which fixes the number of ranks at the start: "
                            "leave out --elastic"});
    case Report::Kind::exit:
      break;
  }
  if (ended_[event.rank]) return;
  ended_[event.rank] = true;
  --left_;
  if (parent_ == nullptr) tell(RankEnded{event.rank, event.status});
  if (!event.status.success()) {
    decide({event.status.shell_code(), place_of(event.rank) + " " + event.status.describe(), true,
            true});
  }
  if (spec_.is_elastic()) release_if_done(from);
  changed_.set();
}

void HeadJob::node_lost(NodeId node, Error why) {
  if (!uses(node)) return;
  if (std::find(lost_.begin(), lost_.end(), node) == lost_.end()) lost_.push_back(node);
  silent_loss_ = silent_loss_ || why == Errc::timed_out;
  cut_off_ = cut_off_ || why == Errc::no_quorum;
  if (spec_.is_elastic() && !cut_off_) note_loss(node);
  if (judging_) return;
  judging_ = true;
  const auto judge = [](std::shared_ptr<HeadJob> job) -> Co<void> { co_await job->judge_losses(); };
  node_.reactor().spawn(judge(shared_from_this()));
}

// Whom to name: this node, if it is that one which is cut off.
Co<void> HeadJob::judge_losses() {
  const auto self = shared_from_this();
  // Others may be lost by the same misfortune.
  co_await reactor::sleep_for(node_.reactor(), std::chrono::milliseconds(silent_loss_ ? 1000 : 50));
  if (cut_off_) {
    co_return decide_loss(name_of(node_.self()) + " is cut off from the other nodes");
  }
  if (spec_.is_elastic()) co_return tell_losses();
  decide_loss(lost_text(lost_));
}

std::string HeadJob::lost_text(const std::vector<NodeId>& nodes) const {
  std::string names;
  for (const NodeId node : nodes) names += (names.empty() ? "" : ", ") + name_of(node);
  return names + (nodes.size() == 1 ? " is" : " are") +
         " lost: " + (silent_loss_ ? "no answer for seconds" : "the connection broke");
}

}  // namespace krg::jobs
