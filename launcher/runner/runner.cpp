#include "runner.h"

#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <numeric>

#include "krg/krgrun/plan.h"
#include "krg/reactor/block_on.h"

namespace krg::runner {
namespace {

constexpr Duration kShutdownTime = std::chrono::seconds(4);
constexpr int kTimedOut = 124;  // As timeout(1).

std::string text_of(const placement::Policy& policy, const char* what) {
  const std::string_view which(what);
  if (which == "map") return policy.map ? placement::to_string(*policy.map) : "slot";
  if (which == "rank")
    return policy.rank ? std::string(placement::to_string(*policy.rank)) : "slot";
  return policy.bind ? placement::to_string(*policy.bind) : "none";
}

// The job's own policy, for nodes that join one by one. Files name tasks and nodes, and say nothing
// of those; "so many on each place" would contradict their number.
void add_policy(const placement::Policy& stated, placement::Policy used, jobs::Elastic& elastic) {
  using placement::MapBy;
  if (!used.map || !used.bind) return;
  if (used.map->by == MapBy::seq || used.map->by == MapBy::rankfile) return;
  if (used.map->by == MapBy::ppr) {
    used.map->by = used.map->level == topo::Level::machine ? MapBy::slot : MapBy::object;
  }
  elastic.map_by = placement::to_string(*used.map, used.modifiers);
  elastic.bind_to = placement::to_string(*used.bind);
  elastic.bind_stated = stated.bind.has_value() || stated.modifiers.pe > 0;
}

// What each node that joins gets: --ppn, or as many as the first node of the job.
jobs::Elastic elastic_of(const krgrun::Job& job, const jobs::JobSpec& spec,
                         const krgrun::Plan& plan, const Cluster& cluster) {
  jobs::Elastic elastic;
  if (!job.elastic.grows) return elastic;
  elastic.per_node = job.per_node;
  if (elastic.per_node == 0) {
    elastic.per_node = static_cast<std::uint32_t>(std::count_if(
        spec.ranks.begin(), spec.ranks.end(), [](const jobs::RankSpec& r) { return r.node == 0; }));
  }
  elastic.per_node = std::max(elastic.per_node, 1u);
  elastic.tasks_max = job.elastic.tasks_max;
  for (std::size_t i = 0; i < cluster.hosts().size(); ++i) {
    elastic.known.push_back(cluster.node_at(i));
  }
  add_policy(job.policy, plan.map.policy, elastic);
  return elastic;
}

jobs::JobSpec spec_of(const krgrun::Job& job, const krgrun::Plan& plan, const Cluster& cluster) {
  jobs::JobSpec spec;
  std::vector<std::uint32_t> index(plan.nodes.size());
  for (const std::uint32_t node : plan.map.nodes) {
    index[node] = static_cast<std::uint32_t>(spec.nodes.size());
    spec.nodes.push_back(cluster.node_at(node));
    spec.oversubscribed = spec.oversubscribed || plan.map.oversubscribed[node];
  }
  for (const krgrun::App& app : job.apps) {
    spec.apps.push_back(
        {app.program, app.argv, app.directory, app.environment, {}, app.capabilities});
  }
  for (const placement::Rank& rank : plan.map.ranks) {
    spec.ranks.push_back({index[rank.node], rank.app, rank.local_rank, rank.cpus.members()});
  }
  spec.input_to =
      static_cast<jobs::InputTo>(job.in.to == krgrun::Stdin::To::none  ? jobs::InputTo::none
                                 : job.in.to == krgrun::Stdin::To::all ? jobs::InputTo::all
                                                                       : jobs::InputTo::one);
  spec.input_rank = job.in.rank;
  spec.pmix = job.mpi != krgrun::Mpi::pmi1;
  spec.finalize_breaker = job.finalize_breaker;
  spec.map_by = text_of(plan.map.policy, "map");
  spec.rank_by = text_of(plan.map.policy, "rank");
  spec.bind_to = text_of(plan.map.policy, "bind");
  spec.universe_size = static_cast<std::uint32_t>(spec.ranks.size());
  spec.kill_grace_ms = static_cast<std::uint32_t>(job.kill_grace.count());
  spec.elastic = elastic_of(job, spec, plan, cluster);
  return spec;
}

}  // namespace

Runner::Runner(const krgrun::Job& job, const config::Environment& environment,
               std::function<int()> krgd)
    : job_(job), cluster_(reactor_, supervisor_, environment, job, *this, std::move(krgd)) {
  signal(SIGPIPE, SIG_IGN);
  sigset_t forwarded;
  sigemptyset(&forwarded);
  for (const int s : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGTSTP, SIGCONT, SIGALRM,
                      SIGURG, SIGXCPU}) {
    sigaddset(&forwarded, s);
  }
  sigprocmask(SIG_BLOCK, &forwarded, nullptr);
  signals_.reset(signalfd(-1, &forwarded, SFD_CLOEXEC | SFD_NONBLOCK));
  KRG_ASSERT(reactor_.watch(signals_.get(), EPOLLIN, *this));
}

Runner::~Runner() = default;

int Runner::run() { return reactor::block_on(reactor_, work()); }

void Runner::say(const std::string& line) {
  if (!line.empty()) std::fprintf(stderr, "krgrun: %s\n", line.c_str());
}

Co<int> Runner::work() {
  int code = 1;
  const Deadline start = reactor_.after(job_.settings.launch.timeout);
  if (const Status up = co_await cluster_.come_up(start); !up) {
    if (!ended_) say(cluster_.complaint());
    // A standing cluster that is not there: nothing was started.
    if (up.error() == Errc::not_found || up.error() == Errc::invalid_argument) code = 2;
  } else {
    code = co_await converse();
  }
  if (ended_) code = ended_->code;
  const bool clean = co_await cluster_.shut_down(reactor_.after(kShutdownTime));
  if (!clean) say("not every krgd has ended in time; it was killed");
  co_return code;
}

Result<jobs::JobSpec> Runner::place() {
  std::string complaint;
  auto topologies = cluster_.topologies();
  if (!topologies) {
    say(topologies.error().message());
    return topologies.error();
  }
  auto plan = krgrun::plan(job_, std::move(*topologies), complaint);
  if (!plan) {
    say(complaint);
    return plan.error();
  }
  const std::uint32_t most = job_.elastic.tasks_max;
  if (most > 0 && plan->map.ranks.size() > most) {
    say("that would be " + std::to_string(plan->map.ranks.size()) +
        " tasks from the start, more than --elastic=" + std::to_string(most) +
        " allows: say how many with -n");
    return Error(Errc::limit_reached);
  }
  const std::string shown = krgrun::display(job_, *plan);
  std::fputs(shown.c_str(), stdout);
  std::fflush(stdout);
  std::vector<std::string> hosts;
  for (const placement::Rank& rank : plan->map.ranks) hosts.push_back(cluster_.hosts()[rank.node]);
  printer_ =
      std::make_unique<Printer>(reactor_, job_.out, std::to_string(getpid()), std::move(hosts));
  return spec_of(job_, *plan, cluster_);
}

// Gives the job to krgd and passes everything on until it has ended.
Co<int> Runner::converse() {
  auto spec = place();
  if (!spec) co_return 2;
  cluster_.connection().send(jobs::Run{std::move(*spec)});
  sent_ = true;
  input_ = std::make_unique<InputReader>(reactor_, [this](std::vector<std::byte> bytes) {
    if (!ended_) cluster_.connection().send(jobs::Input{std::move(bytes)});
  });
  if (job_.timeout.count() > 0) reactor_.spawn(time_out());
  reactor_.spawn(watch_leader());
  while (!ended_) {
    changed_.clear();
    // krgd's word, or the loss of it, ends this.
    (void)co_await changed_.wait(Deadline::never());
  }
  input_->stop();
  printer_->finish();
  // Whatever became of the job: its output is not what was asked for.
  if (!printer_->complaint().empty()) ended_ = jobs::Ended{1, printer_->complaint()};
  say(ended_->text);
  co_return ended_->code;
}

Co<void> Runner::time_out() {
  co_await reactor::sleep_for(reactor_, job_.timeout);
  if (ended_) co_return;
  cluster_.connection().send(jobs::Stop{kTimedOut, "the time given with --timeout is over", true});
}

// The nodes are watched by the krgd that leads the job; that one is watched from here.
Co<void> Runner::watch_leader() {
  const Duration interval = job_.settings.node.heartbeat_interval;
  heard_ = reactor_.now();
  while (!ended_) {
    const TimePoint asked = reactor_.now();
    cluster_.connection().send(jobs::AreYouThere{});
    co_await reactor::sleep_for(reactor_, interval);
    const TimePoint now = reactor_.now();
    // Who was stopped himself, or does not read because of his terminal, has not listened.
    if (now - asked > 2 * interval || printer_->congested()) heard_ = now;
    if (now - heard_ < job_.settings.node.heartbeat_patience) continue;
    end(1, "node 0 (host " + cluster_.hosts()[0] + ") is lost: no answer for seconds");
  }
}

void Runner::end(int code, const std::string& why) {
  if (ended_) return;
  ended_ = jobs::Ended{code, why};
  changed_.set();
}

void Runner::on_frame(std::uint16_t type, wire::Bytes body) {
  heard_ = reactor_.now();
  const auto take = [&]<class M>(auto then) {
    if (type != M::kFrame) return;
    if (auto message = wire::decode<M>(body)) return then(*message);
    end(1, "krgd has sent what makes no sense");
  };
  take.operator()<jobs::Output>([this](const jobs::Output& m) { print(m); });
  take.operator()<jobs::RankStarted>([this](const jobs::RankStarted& m) {
    if (printer_ != nullptr) printer_->rank_started(m.rank, m.pid);
  });
  take.operator()<jobs::Grown>([this](const jobs::Grown& m) { grown(m); });
  take.operator()<jobs::RankEnded>([this](const jobs::RankEnded& m) {
    if (printer_ != nullptr) printer_->rank_ended(m.rank);
  });
  take.operator()<jobs::Started>([this](const jobs::Started&) {
    if (input_ != nullptr && job_.in.to != krgrun::Stdin::To::none) input_->more();
  });
  take.operator()<jobs::InputTaken>([this](const jobs::InputTaken& m) {
    if (input_ == nullptr) return;
    if (m.more) {
      input_->more();
    } else {
      input_->stop();
    }
  });
  take.operator()<jobs::Notice>([this](const jobs::Notice& m) {
    if (job_.verbosity >= 0) say(m.text);
  });
  take.operator()<jobs::Ended>([this](const jobs::Ended& m) { end(m.code, m.text); });
}

void Runner::grown(const jobs::Grown& grown) {
  if (grown.count == 0 || grown.count > jobs::kTasksMax || grown.first_rank > jobs::kTasksMax) {
    return end(1, "krgd has sent what makes no sense");
  }
  if (printer_ != nullptr) printer_->add_ranks(grown.first_rank, grown.count, grown.host);
  if (job_.verbosity < 1) return;
  const std::uint32_t last = grown.first_rank + grown.count - 1;
  say("node " + std::to_string(grown.node.value) + " (host " + grown.host + ") has joined: rank" +
      (grown.count == 1 ? " " : "s ") + std::to_string(grown.first_rank) +
      (grown.count == 1 ? "" : "-" + std::to_string(last)));
}

void Runner::print(const jobs::Output& output) {
  if (printer_ == nullptr) return;
  const bool worked = printer_->complaint().empty();
  printer_->print(output.rank, output.stream, output.text);
  if (worked && !printer_->complaint().empty()) {
    cluster_.connection().send(jobs::Stop{1, "", true});
  }
  if (printer_->broken()) {
    cluster_.connection().send(jobs::Stop{128 + SIGPIPE, "nobody reads standard output", true});
  }
  if (!printer_->congested()) return;
  // Not read meanwhile: krgd then holds back the tasks.
  cluster_.connection().pause();
  const auto wait = [](Runner& self) -> Co<void> {
    while (self.printer_->congested()) {
      co_await reactor::sleep_for(self.reactor_, std::chrono::milliseconds(2));
    }
    self.cluster_.connection().resume();
  };
  reactor_.spawn(wait(*this));
}

void Runner::on_cluster_lost(const std::string& why) {
  if (ended_) return;
  // Whoever leads the job ends it and names the node; if it is the leader itself, there is nobody
  // else.
  if (sent_ && cluster_.connection().open()) {
    cluster_.connection().send(jobs::Stop{1, why, false});
  } else {
    end(1, why);
  }
}

void Runner::on_fd(std::uint32_t) noexcept {
  signalfd_siginfo info;
  while (read(signals_.get(), &info, sizeof info) == sizeof info) {
    on_signal(static_cast<int>(info.ssi_signo));
  }
}

void Runner::on_signal(int number) {
  const bool deadly =
      number == SIGINT || number == SIGTERM || number == SIGQUIT || number == SIGHUP;
  if (!sent_) {
    if (deadly) {
      end(128 + number, "interrupted while starting");
      cluster_.give_up();
    }
    return;
  }
  if (deadly && ++interrupts_ > 1) {
    cluster_.connection().send(jobs::Stop{128 + number, "interrupted twice", false});
    return;
  }
  // A task in a session of its own ignores the terminal's stop.
  const int forwarded = number == SIGTSTP ? SIGSTOP : number;
  cluster_.connection().send(jobs::Signal{forwarded});
  if (number == SIGINT) say("interrupted; once more kills the ranks");
  if (number == SIGTSTP) {
    cluster_.connection().flush();
    raise(SIGSTOP);
  }
  if (number == SIGCONT && input_ != nullptr) input_->again();
}

}  // namespace krg::runner
