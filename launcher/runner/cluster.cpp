#include "cluster.h"

#include <sys/random.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <unordered_map>

#include "krg/control/clusters.h"
#include "krg/control/socket.h"
#include "krg/node/machine.h"
#include "krg/runner/run.h"

namespace krg::runner {
namespace {

using Kind = krgrun::ClusterChoice::Kind;

std::vector<std::string> entries(const config::Environment& environment) {
  std::vector<std::string> all;
  for (const auto& [name, value] : environment.all()) all.push_back(name + "=" + value);
  return all;
}

}  // namespace

std::string krgd_path(const settings::Settings& settings) {
  if (const auto& prefix = settings.cluster.prefix.name; !prefix.empty()) {
    return prefix + "/bin/krgd";
  }
  std::array<char, 4096> self{};
  const ssize_t n = readlink("/proc/self/exe", self.data(), self.size() - 1);
  const std::string path(self.data(), n > 0 ? static_cast<std::size_t>(n) : 0);
  return path.substr(0, path.rfind('/') + 1) + "krgd";
}

Cluster::Cluster(reactor::Reactor& reactor, proc::Supervisor& supervisor,
                 const config::Environment& environment, const krgrun::Job& job,
                 ClusterClient& client, std::function<int()> krgd)
    : reactor_(reactor),
      environment_(environment),
      job_(job),
      client_(client),
      starter_(reactor, supervisor, *this, entries(environment), std::move(krgd)),
      changed_(reactor) {}

Cluster::~Cluster() = default;

Error Cluster::complain(Errc code, std::string text) {
  if (complaint_.empty()) complaint_ = std::move(text);
  return Error(code);
}

std::string Cluster::name_of(std::uint32_t node) const {
  return "node " + std::to_string(node) + " (host " + (node < hosts_.size() ? hosts_[node] : "?") +
         ")";
}

control::Connection& Cluster::connection() noexcept {
  return standing_ != nullptr ? *standing_ : starter_.first();
}

Co<Status> Cluster::come_up(Deadline deadline) {
  if (job_.cluster.kind == Kind::standing) {
    KRG_CO_TRY(co_await attach(deadline));
  } else {
    KRG_CO_TRY(co_await start(deadline));
  }
  up_ = true;
  co_return Status();
}

Status Cluster::plan_start(boot::Init& init) {
  const krgrun::ClusterChoice& choice = job_.cluster;
  init.embedded = choice.kind == Kind::embedded;
  if (init.embedded) {
    init.hosts.assign(std::max(1u, choice.nodes), node::host_name());
  } else {
    for (const placement::Host& host : choice.hosts) init.hosts.push_back(host.name);
  }
  init.version = boot::version();
  init.cluster = choice.name.empty() ? "job-" + std::to_string(getpid()) : choice.name;
  if (getrandom(init.key.data(), init.key.size(), 0) != static_cast<ssize_t>(init.key.size())) {
    return errno_error(Errc::system_error, "making the cluster's key");
  }
  init.incarnation = 1;
  init.nodes = static_cast<std::uint32_t>(init.hosts.size());
  init.standing = standing_wanted_;
  if (!init.standing) {
    init.pmi = job_.mpi == krgrun::Mpi::pmi1 ? boot::Init::Pmi::pmi1 : boot::Init::Pmi::pmix;
    init.finalize_breaker = job_.finalize_breaker;
  }
  init.want_topology = !init.embedded;
  std::vector<std::string> names = init.hosts;
  std::sort(names.begin(), names.end());
  init.alone = std::adjacent_find(names.begin(), names.end()) == names.end();
  const bool known = std::all_of(job_.apps.begin(), job_.apps.end(),
                                 [](const krgrun::App& app) { return app.ranks > 0; });
  for (const krgrun::App& app : job_.apps) init.ranks += known ? app.ranks : 0;
  init.agent = choice.launch_agent;
  init.program = krgd_path(job_.settings);
  init.settings = settings::accepted(environment_);
  for (std::string& setting : settings::agreed(job_.settings.hotplug)) {
    init.settings.push_back(std::move(setting));
  }
  if (choice.memory_budget.bytes != 0) {
    init.settings.push_back(settings::agreed(choice.memory_budget));
  }
  hosts_ = init.hosts;
  hellos_.resize(hosts_.size());
  return {};
}

Co<Status> Cluster::start(Deadline deadline) {
  boot::Init init;
  if (const Status planned = plan_start(init); !planned) {
    co_return complain(planned.error().code(), planned.error().message());
  }
  starter_.start(init, 0);
  if (init.embedded) load_machine();  // While the krgds start.
  bool sent = false;
  while (complaint_.empty() && ready_ < hosts_.size()) {
    if (!sent && greeted_ == hosts_.size()) {
      sent = true;
      boot::ViewMade made;
      made.view.epoch = Epoch{1};
      made.view.coordinator = NodeId{0};
      for (const auto& hello : hellos_) made.view.members.push_back(hello->member);
      if (machine_ != nullptr) {
        if (auto xml = machine_->xml()) made.topology = std::move(*xml);
      }
      starter_.send_view(made);
      continue;
    }
    changed_.clear();
    if (co_await changed_.wait(deadline)) continue;
    for (std::uint32_t node = 0; node < hosts_.size(); ++node) {
      if (!sent && hellos_[node]) continue;
      co_return complain(Errc::timed_out, name_of(node) + ": no answer from its krgd in time");
    }
  }
  if (!complaint_.empty()) co_return Error(Errc::unreachable);
  co_return Status();
}

Co<Status> Cluster::attach(Deadline deadline) {
  const std::string& name = job_.cluster.name;
  const auto found = control::find_cluster(environment_.get("XDG_RUNTIME_DIR").value_or(""), name);
  if (!found) {
    co_return complain(found.error().code(), "cluster " + name + ": " + found.error().what() +
                                                 "; see 'krgadm cluster list'");
  }
  auto socket = control::call(found->socket);
  if (!socket) co_return complain(socket.error().code(), socket.error().message());
  control::ConnectionHandler& handler = *this;
  standing_ =
      std::make_unique<control::Connection>(reactor_, std::move(*socket), UniqueFd(), handler);
  standing_->send(jobs::AskNodes{});
  while (hosts_.empty() && complaint_.empty()) {
    changed_.clear();
    if (!co_await changed_.wait(deadline)) {
      co_return complain(Errc::timed_out, "cluster " + found->cluster + " does not answer");
    }
  }
  if (!complaint_.empty()) co_return Error(Errc::unreachable);
  co_return Status();
}

void Cluster::load_machine() {
  Result<topo::Topology> machine = topo::Topology::machine();
  if (machine) machine_ = std::make_shared<const topo::Topology>(std::move(*machine));
}

// Nodes that look alike share one topology.
Result<std::vector<krgrun::NodeTopology>> Cluster::topologies() {
  const bool from_hellos = std::all_of(hellos_.begin(), hellos_.end(), [](const auto& hello) {
    return hello && !hello->topology.empty();
  });
  if (hellos_.empty() || !from_hellos) {
    if (machine_ == nullptr) load_machine();
    if (machine_ == nullptr) {
      return Error(Errc::system_error, "the topology of this machine can not be read");
    }
    std::vector<krgrun::NodeTopology> nodes;
    for (const std::string& host : hosts_) nodes.push_back({host, machine_});
    return nodes;
  }
  std::unordered_map<std::string, std::shared_ptr<const topo::Topology>> known;
  std::vector<krgrun::NodeTopology> nodes;
  for (std::size_t i = 0; i < hosts_.size(); ++i) {
    auto& topology = known[hellos_[i]->topology];
    if (topology == nullptr) {
      KRG_TRY_ASSIGN(auto parsed, topo::Topology::from_xml(hellos_[i]->topology));
      topology = std::make_shared<const topo::Topology>(std::move(parsed));
    }
    nodes.push_back({hosts_[i], topology});
  }
  return nodes;
}

Co<bool> Cluster::shut_down(Deadline deadline) {
  up_ = false;
  standing_.reset();
  co_return co_await starter_.shutdown(deadline);
}

void Cluster::on_hello(const boot::Hello& hello) {
  const std::uint32_t node = hello.member.node.value;
  if (node >= hellos_.size() || hellos_[node]) return;
  hellos_[node] = hello;
  ++greeted_;
  changed_.set();
}

void Cluster::on_ready(const boot::Ready&) {
  ++ready_;
  changed_.set();
}

void Cluster::on_failed(const boot::Failed& failed) {
  const std::string text = name_of(failed.node) + ": " + failed.text;
  // An elastic job goes on: the krgd that leads it sees the loss, too, and tells it.
  if (up_ && job_.elastic.grows && failed.node > 0) return;
  if (up_) return client_.on_cluster_lost(text);
  (void)complain(Errc::unreachable, text);
  changed_.set();
}

void Cluster::on_client_frame(std::uint16_t type, wire::Bytes body) {
  client_.on_frame(type, body);
}

void Cluster::on_frame(control::Connection&, std::uint16_t type, wire::Bytes body) {
  if (up_) return client_.on_frame(type, body);
  if (const auto nodes = wire::decode<jobs::Nodes>(body); nodes && type == jobs::Nodes::kFrame) {
    for (const jobs::NodeReport& node : nodes->nodes) {
      if (node.state != cluster::name_of(cluster::NodeState::online)) continue;
      hosts_.push_back(node.host);
      nodes_.push_back(node.node);
    }
    changed_.set();
  }
}

void Cluster::on_closed(control::Connection&, Status) {
  const std::string text = "the krgd of the cluster has closed the connection";
  if (up_) return client_.on_cluster_lost(text);
  (void)complain(Errc::peer_down, text);
  changed_.set();
}

}  // namespace krg::runner
