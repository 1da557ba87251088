// What an elastic job does beside the rest: it starts tasks on nodes that join, lets nodes go whose
// tasks have ended, and goes on without those that fail. See docs/design/launch.md, "Elastic jobs".
#include <algorithm>
#include <csignal>

#include "head_job.h"
#include "krg/log/log.h"

namespace krg::jobs {
namespace {

constexpr Duration kAnswerTime = std::chrono::seconds(30);

// "rank 3", "ranks 4-7, 9"
std::string text_of(const std::vector<std::uint32_t>& ranks) {
  std::string text = ranks.size() == 1 ? "rank " : "ranks ";
  for (std::size_t i = 0; i < ranks.size();) {
    std::size_t last = i;
    while (last + 1 < ranks.size() && ranks[last + 1] == ranks[last] + 1) ++last;
    text += (i == 0 ? "" : ", ") + std::to_string(ranks[i]);
    if (last > i) text += "-" + std::to_string(ranks[last]);
    i = last + 1;
  }
  return text;
}

}  // namespace

void HeadJob::begin_growing() {
  if (is_over()) return;
  events_ = node_.on_event([this](const hotplug::NodeEvent& event) { on_event(event); });
  // Those that have joined since the job was placed.
  for (const cluster::Member& member : node_.view().members) {
    if (member.state == cluster::NodeState::online) welcome(member.node, member.incarnation);
  }
}

void HeadJob::on_event(const hotplug::NodeEvent& event) {
  if (event.state == cluster::NodeState::online) {
    welcome(event.peer.node, event.peer.incarnation);
  } else if (event.state == cluster::NodeState::leaving) {
    const auto ranks = running_on(event.peer.node);
    if (ranks.empty() || is_over()) return;
    tell(Notice{name_of(event.peer.node) + " is to leave the cluster, which waits for " +
                text_of(ranks) + " to end"});
  }
}

// A node whose leave was cancelled is online again, too, and no joiner.
void HeadJob::welcome(NodeId node, Incarnation life) {
  if (is_over() || life <= lives_[node]) return;
  lives_[node] = life;
  const Elastic& elastic = spec_.elastic;
  std::size_t count = elastic.per_node;
  if (elastic.tasks_max > 0) {
    const std::size_t there = left_ + coming_;
    count = std::min(count, elastic.tasks_max - std::min<std::size_t>(elastic.tasks_max, there));
  }
  count = std::min(count, kTasksMax - std::min<std::size_t>(kTasksMax, spec_.ranks.size()));
  if (count == 0) return;
  take_in(node, static_cast<std::uint32_t>(count));
}

void HeadJob::take_in(NodeId node, std::uint32_t count) {
  ++changing_;
  coming_ += count;
  const std::uint32_t first = extend(spec_, node, count);
  ended_.resize(spec_.ranks.size(), true);
  std::erase(lost_, node);  // That was a former life.
  watch(node);
  const auto start = [](std::shared_ptr<HeadJob> job, NodeId on, std::uint32_t rank,
                        std::uint32_t tasks) -> Co<void> {
    co_await job->start_on(on, rank, tasks);
    --job->changing_;
    job->changed_.set();
  };
  node_.reactor().spawn(start(shared_from_this(), node, first, count));
}

// What goes wrong here is a line for the user: the others shall not end because of a newcomer.
Co<void> HeadJob::start_on(NodeId node, std::uint32_t first, std::uint32_t count) {
  const Prepare::Request prepare{id_, spec_, first};
  const auto ready = co_await node_.rpc().call<Prepare>(
      node, prepare, {.deadline = node_.reactor().after(kAnswerTime)});
  coming_ -= count;
  if (!ready && !is_over()) {
    tell(Notice{name_of(node) + " can not take tasks: " + ready.error().message()});
  }
  if (!ready) co_return;
  if (is_over() || is_lost(node)) {
    if (!is_lost(node)) co_await end(node);
    co_return;
  }
  for (std::uint32_t rank = first; rank < first + count; ++rank) ended_[rank] = false;
  left_ += count;
  tell(Grown{first, count, node, node_.host_of(node)});
  const Launch::Request launch{id_};
  const auto started = co_await node_.rpc().call<Launch>(
      node, launch, {.deadline = node_.reactor().after(kAnswerTime)});
  if (is_lost(node)) co_return;
  if (started && started->started) {
    if (!input_over_ || spec_.input_to != InputTo::all) co_return;
    const Feed::Request nothing{id_, kEveryRank, {}};
    (void)co_await node_.rpc().call<Feed>(node, nothing,
                                          {.deadline = node_.reactor().after(kAnswerTime)});
    co_return;
  }
  tell(Notice{name_of(node) + " could not start its tasks: " +
              (started ? started->why : started.error().message())});
  (void)drop(node);
  co_await end(node);
  unwatch(node);
}

std::vector<std::uint32_t> HeadJob::running_on(NodeId node) const {
  std::vector<std::uint32_t> ranks;
  for (std::uint32_t rank = 0; rank < spec_.ranks.size(); ++rank) {
    if (!ended_[rank] && spec_.nodes[spec_.ranks[rank].node] == node) ranks.push_back(rank);
  }
  return ranks;
}

// A node that has nothing more to do for the job may leave the cluster.
void HeadJob::release_if_done(NodeId node) {
  if (is_over() || !running_on(node).empty()) return;
  ++changing_;
  const auto let_go = [](std::shared_ptr<HeadJob> job, NodeId from) -> Co<void> {
    co_await job->end(from);
    job->unwatch(from);
    --job->changing_;
    job->changed_.set();
  };
  node_.reactor().spawn(let_go(shared_from_this(), node));
}

// The ranks that ran there have ended.
std::vector<std::uint32_t> HeadJob::drop(NodeId node) {
  auto ranks = running_on(node);
  for (const std::uint32_t rank : ranks) {
    ended_[rank] = true;
    tell(RankEnded{rank, {.signal = SIGKILL}});
  }
  left_ -= ranks.size();
  changed_.set();
  return ranks;
}

// tell_losses() says so when those that are lost by the same misfortune are known.
void HeadJob::note_loss(NodeId node) {
  const auto ranks = drop(node);
  if (ranks.empty()) return;
  dropped_.push_back(node);
  dropped_ranks_.insert(dropped_ranks_.end(), ranks.begin(), ranks.end());
}

void HeadJob::tell_losses() {
  judging_ = false;
  changed_.set();
  if (dropped_.empty()) return;
  const std::string text = lost_text(std::exchange(dropped_, {}));
  std::vector<std::uint32_t> ranks = std::exchange(dropped_ranks_, {});
  silent_loss_ = false;
  std::sort(ranks.begin(), ranks.end());
  if (is_over() && !verdict_) return decide_loss(text + ", and the last tasks of the job with it");
  tell(Notice{text + "; the job goes on without " + text_of(ranks)});
}

}  // namespace krg::jobs
