// A small launcher for the tests of krg/pmix: it forks nodes, each with the process-management
// servers of a krgd, and lets them start the ranks. Not installed. `pmi_launch --help` tells the
// rest.

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <climits>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <memory>

#include "folder.h"
#include "krg/log/log.h"
#include "krg/wire/codec.h"
#include "link.h"
#include "node.h"

namespace krg::pmix::testing {
namespace {

struct Options {
  unsigned ranks = 1, nodes = 1;
  std::string agent, hosts, kvs_name;
  bool no_pmix = false, verbose = false, keep_going = false;
  int patience_ms = 300, kill_after_ms = 0;
  unsigned universe = 0;
  std::string topology;
  std::vector<std::string> program;
  // Of a node's own process.
  int node = -1, fd = -1, life = -1;
  std::string folder, host;
};

class Launcher {
 public:
  explicit Launcher(Options options) : options_(std::move(options)) {}
  int run();

 private:
  struct NodeProcess {
    std::unique_ptr<Link> link;
    pid_t pid = 0;
  };
  struct Job {
    JobDescription description;
    unsigned created = 0;
    std::uint32_t asker = UINT_MAX;  // The node of the rank that spawned it.
    std::uint64_t request = 0;
  };

  void start_node(unsigned index);
  std::string host_of(unsigned node) const;
  void create(JobDescription job, std::uint32_t asker, std::uint64_t request);
  void place(JobDescription& job, unsigned ranks, std::uint32_t app) const;
  void serve(Frame frame);
  void spawn(const Frame& frame);
  void ended(const RankNews& news);
  void end_job(int code);
  void to_all(Kind kind, const Blob& body);

  const Options options_;
  const Folder folder_;
  std::vector<NodeProcess> nodes_;
  std::map<std::string, Job> jobs_;
  std::size_t live_ = 0, starting_ = 0;
  int exit_code_ = 0;
  bool ending_ = false;
};

std::string Launcher::host_of(unsigned node) const {
  if (options_.hosts.empty()) {
    char name[HOST_NAME_MAX + 1] = {};
    ::gethostname(name, sizeof name - 1);
    return name;  // All nodes are one host, as they are.
  }
  std::string host = options_.hosts;
  const auto at = host.find("%d");
  return at == std::string::npos ? host : host.replace(at, 2, std::to_string(node));
}

void Launcher::start_node(unsigned index) {
  int fds[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) != 0) std::exit(1);
  const std::string folder = folder_.path() + "/" + std::to_string(index);
  std::filesystem::create_directory(folder);
  std::vector<std::string> words;
  std::string agent = options_.agent;
  if (const auto at = agent.find("%d"); at != std::string::npos) {
    agent.replace(at, 2, std::to_string(index));
  }
  for (std::size_t from = 0; from < agent.size();) {
    const auto end = std::min(agent.find(' ', from), agent.size());
    if (end > from) words.push_back(agent.substr(from, end - from));
    from = end + 1;
  }
  words.push_back(std::filesystem::read_symlink("/proc/self/exe"));
  const auto add = [&](const std::string& name, const std::string& value) {
    words.push_back(name);
    words.push_back(value);
  };
  add("--node", std::to_string(index));
  add("--fd", std::to_string(fds[1]));
  add("--life", std::to_string(folder_.life()));
  add("--folder", folder);
  add("--host", host_of(index));
  add("--patience", std::to_string(options_.patience_ms));
  if (!options_.topology.empty()) add("--topology", options_.topology);
  if (options_.no_pmix) words.push_back("--no-pmix");
  if (options_.verbose) words.push_back("-v");
  words.push_back("node");

  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, fds[1], fds[1]);
  posix_spawn_file_actions_adddup2(&actions, folder_.life(), folder_.life());
  NodeProcess node;
  const int error = ::posix_spawnp(&node.pid, argv[0], &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  ::close(fds[1]);
  if (error != 0) {
    std::fprintf(stderr, "pmi_launch: %s does not start\n", argv[0]);
    std::exit(1);
  }
  node.link = std::make_unique<Link>(UniqueFd(fds[0]));
  nodes_.push_back(std::move(node));
}

// Blocks of equal size on all nodes.
void Launcher::place(JobDescription& job, unsigned ranks, std::uint32_t app) const {
  const unsigned each = (ranks + options_.nodes - 1) / options_.nodes;
  for (unsigned r = 0; r < ranks; ++r) job.ranks.push_back({r / each, app, {}});
}

void Launcher::create(JobDescription job, std::uint32_t asker, std::uint64_t request) {
  job.name_space = "krg-" + std::to_string(::getpid()) + "-" + std::to_string(jobs_.size() + 1);
  for (unsigned n = 0; n < options_.nodes; ++n) job.nodes.push_back({NodeId{n}, host_of(n)});
  job.universe_size = options_.universe;
  job.folder = folder_.path();
  job.oversubscribed = true;
  ++starting_;
  const std::string name = job.name_space;
  Job& made = jobs_[name];
  made.description = std::move(job);
  made.asker = asker;
  made.request = request;
  live_ += made.description.ranks.size();
  to_all(Kind::create, wire::encode(made.description));
}

void Launcher::to_all(Kind kind, const Blob& body) {
  for (NodeProcess& node : nodes_) {
    Head head;
    head.kind = kind;
    node.link->send(head, body);
  }
}

void Launcher::spawn(const Frame& frame) {
  const auto request = wire::decode<SpawnRequest>(frame.body);
  KRG_ASSERT(request);
  JobDescription job;
  job.parent = request->parent;
  job.preput = request->preput;
  for (const SpawnApp& app : request->apps) {
    job.apps.push_back({app.argv, app.working_folder, app.environment});
    place(job, app.processes, static_cast<std::uint32_t>(job.apps.size() - 1));
  }
  create(std::move(job), frame.head.from, frame.head.id);
}

void Launcher::end_job(int code) {
  if (exit_code_ == 0) exit_code_ = code != 0 ? code : 1;
  if (!ending_) to_all(Kind::kill, {});
  ending_ = true;
}

void Launcher::ended(const RankNews& news) {
  --live_;
  const int status = news.code;
  const int code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  if (code == 0 || ending_) return;
  std::fprintf(stderr, "pmi_launch: rank %u of %s ended with %d\n", news.rank,
               news.name_space.c_str(), code);
  if (options_.keep_going) {
    exit_code_ = exit_code_ == 0 ? code : exit_code_;
  } else {
    end_job(code);
  }
}

void Launcher::serve(Frame frame) {
  switch (frame.head.kind) {
    case Kind::created: {
      Job& job = jobs_.at(to_text(frame.body));
      if (++job.created != options_.nodes) return;
      --starting_;
      to_all(Kind::start, frame.body);
      if (job.asker == UINT_MAX) return;
      Head head;
      head.kind = Kind::spawned;
      head.id = job.request;
      return nodes_[job.asker].link->send(head, frame.body);
    }
    case Kind::exited:
      return ended(*wire::decode<RankNews>(frame.body));
    case Kind::abort: {
      const auto news = wire::decode<RankNews>(frame.body);
      std::fprintf(stderr, "pmi_launch: rank %u aborts with %d: %s\n", news->rank, news->code,
                   news->text.c_str());
      return end_job(news->code);
    }
    case Kind::spawn:
      return spawn(frame);
    case Kind::log:
      std::fprintf(stderr, "pmi_launch: %s\n", to_text(frame.body).c_str());
      return;
    case Kind::question:
    case Kind::answer:
    case Kind::failure:
      return nodes_.at(frame.head.to).link->send(frame.head, frame.body);
    default:
      std::fprintf(stderr, "pmi_launch: unexpected frame\n");
      end_job(1);
  }
}

int Launcher::run() {
  if (folder_.path().empty()) {
    std::perror("pmi_launch: a folder for the job");
    return 1;
  }
  for (unsigned n = 0; n < options_.nodes; ++n) start_node(n);
  JobDescription job;
  job.apps.push_back({options_.program, std::filesystem::current_path(), {}});
  place(job, options_.ranks, 0);
  create(std::move(job), UINT_MAX, 0);

  while (live_ > 0) {
    std::vector<pollfd> fds;
    for (const NodeProcess& node : nodes_) fds.push_back({node.link->fd(), POLLIN, 0});
    ::poll(fds.data(), fds.size(), -1);
    for (std::size_t n = 0; n < fds.size(); ++n) {
      if (fds[n].revents == 0) continue;
      if (!nodes_[n].link->receive()) {
        std::fprintf(stderr, "pmi_launch: node %zu is lost\n", n);
        exit_code_ = exit_code_ == 0 ? 1 : exit_code_;
        live_ = 0;
        break;
      }
      Frame frame;
      while (nodes_[n].link->next(frame)) serve(std::move(frame));
    }
  }
  to_all(Kind::finish, {});
  for (NodeProcess& node : nodes_) {
    int status = 0;
    ::waitpid(node.pid, &status, 0);
    if (status != 0 && exit_code_ == 0) {
      std::fprintf(stderr, "pmi_launch: a node ended with status %d\n", status);
      exit_code_ = 1;
    }
  }
  return exit_code_;
}

int node_main(const Options& options) {
  ::fcntl(options.fd, F_SETFD, FD_CLOEXEC);
  ::fcntl(options.life, F_SETFD, FD_CLOEXEC);
  log::set_who("node " + std::to_string(options.node));
  log::set_level(options.verbose ? log::Level::debug : log::Level::warn);
  ServiceOptions service;
  service.self = NodeId{static_cast<std::uint32_t>(options.node)};
  service.home = NodeId{0};
  service.host = options.host;
  service.folder = options.folder;
  service.topology_file = options.topology;
  service.pmix = !options.no_pmix;
  service.finalize_patience = std::chrono::milliseconds(options.patience_ms);
  return run_node(UniqueFd(options.fd), std::move(service));
}

int main_of(int argc, char** argv) {
  Options options;
  CLI::App app("Starts ranks of an MPI program under krg's process-management servers.");
  app.prefix_command();
  app.add_option("-n", options.ranks, "ranks")->check(CLI::Range(1, 100000));
  app.add_option("--nodes", options.nodes, "nodes, each a process")->check(CLI::Range(1, 64));
  app.add_option("--agent", options.agent, "command before each node's own; %d is the node");
  app.add_option("--hosts", options.hosts, "host names, with %d; default: this host for all");
  app.add_option("--patience", options.patience_ms, "finalize patience in ms; 0 turns it off");
  app.add_option("--universe", options.universe, "universe size");
  app.add_option("--topology", options.topology, "hwloc XML file of the nodes");
  app.add_flag("--no-pmix", options.no_pmix, "PMI-1 alone");
  app.add_flag("--keep-going", options.keep_going, "a failed rank does not end the others");
  app.add_flag("-v", options.verbose, "log");
  app.add_option("--node", options.node)->group("");
  app.add_option("--fd", options.fd)->group("");
  app.add_option("--life", options.life)->group("");
  app.add_option("--folder", options.folder)->group("");
  app.add_option("--host", options.host)->group("");
  CLI11_PARSE(app, argc, argv);
  if (options.node >= 0) return node_main(options);
  options.program = app.remaining();
  if (options.program.empty()) {
    std::fprintf(stderr, "pmi_launch: no program given\n");
    return 2;
  }
  return Launcher(std::move(options)).run();
}

}  // namespace
}  // namespace krg::pmix::testing

int main(int argc, char** argv) { return krg::pmix::testing::main_of(argc, argv); }
