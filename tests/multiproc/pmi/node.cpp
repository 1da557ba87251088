#include "node.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <map>
#include <memory>

#include "krg/log/log.h"
#include "krg/pmix/job_server.h"
#include "krg/reactor/event.h"
#include "krg/wire/codec.h"

namespace krg::pmix::testing {
namespace {

// Something another process will answer. Shared by who waits and the table of those that wait.
struct Pending {
  explicit Pending(reactor::Reactor& reactor) : done(reactor) {}
  reactor::Event done;
  Frame frame;
};

class Node final : public Exchange, private reactor::FdHandler {
 public:
  Node(UniqueFd link, ServiceOptions options)
      : link_(std::move(link)), options_(std::move(options)), children_(*this) {}

  int run();

  Co<Result<Blob>> ask(NodeId node, Blob question, Deadline deadline) override;
  Co<Result<std::string>> spawn(SpawnRequest request);
  void tell(Kind kind, const Blob& body) {
    link_.send({.kind = kind, .from = options_.self.value}, body);
  }

 private:
  // The ears of one job.
  class Listener final : public JobListener {
   public:
    Listener(Node& node, std::string name) : node_(node), name_(std::move(name)) {}
    void on_abort(Rank rank, int code, const std::string& message) override {
      node_.tell(Kind::abort, wire::encode(RankNews{name_, rank, code, message}));
    }
    Co<Result<std::string>> on_spawn(SpawnRequest request) override {
      return node_.spawn(std::move(request));
    }
    void on_signal(std::vector<ProcessName> targets, int signal) override {
      for (const ProcessName& target : targets) node_.signal(target, signal);
    }
    void on_log(Rank rank, const std::string& text) override {
      node_.tell(Kind::log, to_blob("rank " + std::to_string(rank) + " logs: " + text));
    }

   private:
    Node& node_;
    const std::string name_;
  };

  struct Job {
    std::unique_ptr<Listener> listener;
    std::unique_ptr<JobServer> server;
    std::vector<std::vector<std::string>> environments;  // Of the apps, beyond the launcher's.
  };

  class Children final : public reactor::FdHandler {
   public:
    explicit Children(Node& node) : node_(node) {}
    void on_fd(std::uint32_t events) noexcept override {
      (void)events;
      node_.reap();
    }

   private:
    Node& node_;
  };

  void on_fd(std::uint32_t events) noexcept override;
  void serve(Frame frame);
  static Co<void> create(Node& node, Blob description);
  static Co<void> answer(Node& node, Frame question);
  void start(const std::string& name);
  void start_rank(Job& job, Rank rank);
  void reap();
  void signal(const ProcessName& target, int signal);
  Co<Frame> request(Head head, Blob body, Deadline deadline, bool& timed_out);

  Link link_;
  ServiceOptions options_;
  Children children_;
  UniqueFd signals_;
  reactor::RealClock clock_;
  reactor::Reactor reactor_{clock_};
  std::unique_ptr<Service> service_;
  std::map<std::string, Job> jobs_;
  std::map<pid_t, ProcessName> ranks_;
  std::map<std::uint64_t, std::shared_ptr<Pending>> pending_;
  std::uint64_t ids_ = 0;
};

int Node::run() {
  sigset_t mask;
  sigemptyset(&mask);
  sigaddset(&mask, SIGCHLD);
  sigprocmask(SIG_BLOCK, &mask, nullptr);  // Before libpmix makes its threads.
  signals_.reset(signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK));
  const auto begin = clock_.now();
  auto service = Service::start(reactor_, *this, options_);
  const auto took = clock_.now() - begin;
  if (!service) {
    KRG_ERROR("node {}: {}", options_.self.value, service.error().message());
    return 1;
  }
  KRG_INFO("the service started in {} us",
           std::chrono::duration_cast<std::chrono::microseconds>(took).count());
  service_ = std::move(*service);
  if (!reactor_.watch(link_.fd(), EPOLLIN, *this) ||
      !reactor_.watch(signals_.get(), EPOLLIN, children_)) {
    return 1;
  }
  reactor_.run();
  jobs_.clear();
  service_.reset();
  return 0;
}

void Node::on_fd(std::uint32_t) noexcept {
  if (!link_.receive()) {  // The launcher is gone.
    for (const auto& [pid, name] : ranks_) ::kill(-pid, SIGKILL);
    return reactor_.stop();
  }
  Frame frame;
  while (link_.next(frame)) serve(std::move(frame));
}

void Node::serve(Frame frame) {
  switch (frame.head.kind) {
    case Kind::create:
      return reactor_.spawn(create(*this, std::move(frame.body)));
    case Kind::start:
      return start(to_text(frame.body));
    case Kind::kill:
      for (const auto& [pid, name] : ranks_) ::kill(-pid, SIGKILL);
      return;
    case Kind::finish:
      return reactor_.stop();
    case Kind::question:
      return reactor_.spawn(answer(*this, std::move(frame)));
    case Kind::answer:
    case Kind::failure:
    case Kind::spawned:
      if (const auto found = pending_.find(frame.head.id); found != pending_.end()) {
        found->second->frame = std::move(frame);
        found->second->done.set();
        pending_.erase(found);
      }
      return;
    default:
      KRG_ERROR("node {}: unexpected frame", options_.self.value);
  }
}

Co<void> Node::create(Node& node, Blob bytes) {
  auto job = wire::decode<JobDescription>(bytes);
  KRG_ASSERT(job);
  const std::string name = job->name_space;
  Job& made = node.jobs_[name];
  made.listener = std::make_unique<Listener>(node, name);
  job->folder = node.options_.folder;
  auto server = co_await node.service_->create_job(std::move(*job), *made.listener);
  if (!server) {
    KRG_ERROR("node {}: {}", node.options_.self.value, server.error().message());
    std::exit(1);
  }
  made.server = std::move(*server);
  node.tell(Kind::created, to_blob(name));
}

void Node::start(const std::string& name) {
  Job& job = jobs_.at(name);
  const JobDescription& d = job.server->description();
  for (Rank rank = 0; rank < d.ranks.size(); ++rank) {
    if (d.nodes[d.ranks[rank].node_index].node == options_.self) start_rank(job, rank);
  }
}

void Node::start_rank(Job& job, Rank rank) {
  const JobDescription& d = job.server->description();
  const JobApp& app = d.apps[d.ranks[rank].app];
  std::vector<std::string> user;
  for (char** entry = environ; *entry != nullptr; ++entry) user.emplace_back(*entry);
  // MPI must not look for its host name and its temporary files elsewhere than this node does.
  user.push_back("TMPDIR=" + options_.folder);
  auto launch = job.server->rank_environment(rank, user);
  if (!launch) return tell(Kind::abort, wire::encode(RankNews{d.name_space, rank, 1, "no fds"}));

  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  for (const int fd : launch->fds) posix_spawn_file_actions_adddup2(&actions, fd, fd);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none;
  sigemptyset(&none);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK);
  std::vector<char*> argv, env;
  for (const std::string& word : app.argv) argv.push_back(const_cast<char*>(word.c_str()));
  for (const std::string& entry : launch->environment) {
    env.push_back(const_cast<char*>(entry.c_str()));
  }
  argv.push_back(nullptr);
  env.push_back(nullptr);
  pid_t pid = 0;
  const int error = ::posix_spawnp(&pid, argv[0], &actions, &attributes, argv.data(), env.data());
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) {
    job.server->rank_exited(rank, 127 << 8);
    return tell(Kind::exited, wire::encode(RankNews{d.name_space, rank, 127 << 8, {}}));
  }
  ranks_[pid] = {d.name_space, rank};
  job.server->rank_started(rank, pid);
}

void Node::reap() {
  std::array<signalfd_siginfo, 16> infos;
  while (::read(signals_.get(), infos.data(), sizeof infos) > 0) {
  }
  int status = 0;
  for (pid_t pid; (pid = ::waitpid(-1, &status, WNOHANG)) > 0;) {
    const auto found = ranks_.find(pid);
    if (found == ranks_.end()) continue;
    const ProcessName name = found->second;
    ranks_.erase(found);
    jobs_.at(name.name_space).server->rank_exited(name.rank, status);
    // Behind what the rank's exit makes the JobServer say.
    reactor_.mailbox().post([this, name, status] {
      tell(Kind::exited, wire::encode(RankNews{name.name_space, name.rank, status, {}}));
    });
  }
}

void Node::signal(const ProcessName& target, int signal) {
  for (const auto& [pid, name] : ranks_) {
    if (name.name_space == target.name_space &&
        (target.rank == kEveryRank || target.rank == name.rank)) {
      ::kill(-pid, signal);
    }
  }
}

Co<Frame> Node::request(Head head, Blob body, Deadline deadline, bool& timed_out) {
  const auto pending = std::make_shared<Pending>(reactor_);
  head.from = options_.self.value;
  head.id = ++ids_;
  pending_[head.id] = pending;
  link_.send(head, body);
  timed_out = !co_await pending->done.wait(deadline);
  pending_.erase(head.id);
  co_return std::move(pending->frame);
}

Co<Result<Blob>> Node::ask(NodeId node, Blob question, Deadline deadline) {
  Head head;
  head.kind = Kind::question;
  head.to = node.value;
  bool timed_out = false;
  Frame frame = co_await request(head, std::move(question), deadline, timed_out);
  if (timed_out) co_return Errc::timed_out;
  if (frame.head.kind == Kind::failure) {
    co_return Error(static_cast<Errc>(frame.head.status)).with_peer(node);
  }
  co_return std::move(frame.body);
}

Co<void> Node::answer(Node& node, Frame question) {
  auto answer =
      co_await node.service_->answer(NodeId{question.head.from}, std::move(question.body));
  Head head;
  head.kind = answer ? Kind::answer : Kind::failure;
  head.from = node.options_.self.value;
  head.to = question.head.from;
  head.id = question.head.id;
  if (!answer) head.status = static_cast<std::uint32_t>(answer.error().code());
  node.link_.send(head, answer ? *answer : Blob());
}

Co<Result<std::string>> Node::spawn(SpawnRequest spawn) {
  Head head;
  head.kind = Kind::spawn;
  bool timed_out = false;
  const Frame frame = co_await request(head, wire::encode(spawn), Deadline::never(), timed_out);
  if (frame.body.empty()) co_return Errc::not_supported;
  co_return to_text(frame.body);
}

}  // namespace

int run_node(UniqueFd link, ServiceOptions options) {
  const std::string folder = options.folder;
  Node node(std::move(link), std::move(options));
  return node.run();
}

}  // namespace krg::pmix::testing
