#include "daemon.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstring>

#include "fabric.h"
#include "krg/control/clusters.h"
#include "krg/hotplug/options.h"
#include "krg/log/log.h"
#include "krg/objects/budget.h"
#include "krg/rpc/multicast.h"
#include "krg/topo/topology.h"

namespace krg::krgd {
namespace {

constexpr Duration kShutdownTime = std::chrono::seconds(3);
constexpr Duration kAnswerTime = std::chrono::milliseconds(100);
constexpr Duration kEarlierLife = std::chrono::seconds(5);

std::vector<std::string> entries(const config::Environment& environment) {
  std::vector<std::string> all;
  for (const auto& [name, value] : environment.all()) all.push_back(name + "=" + value);
  return all;
}

hotplug::Options options_of(const settings::Hotplug& settings) {
  hotplug::Options options;
  options.detector.period = settings.heartbeat_period;
  options.detector.timeout = std::max(settings.heartbeat_timeout, 2 * settings.heartbeat_period);
  options.lease = settings.lease;
  using Voters = settings::Hotplug::Voters;
  options.voters = settings.voters == Voters::one ? 1 : settings.voters == Voters::three ? 3 : 5;
  if (!settings.failover) options.two_nodes = hotplug::TwoNodes::no_failover;
  // An idle node wakes for each renewal; one that is lost is repeated three times as fast.
  options.renew = options.lease * 2 / 5;
  return options;
}

// Those of an embedded cluster share the machine.
std::uint64_t budget_of(const boot::Init& init, const settings::Memory& settings) {
  if (settings.budget.bytes != 0) return settings.budget.bytes;
  return objects::default_budget(init.embedded ? std::max(init.nodes, 1u) : 1);
}

// What a frame of a control connection is called in statistics.
std::string frame_name(std::uint16_t type) {
  switch (type) {
    case boot::Hello::kFrame:
      return "hello";
    case boot::Failed::kFrame:
      return "failed";
    case boot::ViewMade::kFrame:
      return "view_made";
    case boot::Ready::kFrame:
      return "ready";
    case boot::Shutdown::kFrame:
      return "shutdown";
    default:
      return jobs::frame_name(type);
  }
}

}  // namespace

// A tool at the control socket.
struct Daemon::Client {
  std::unique_ptr<control::Connection> connection;
  std::unique_ptr<jobs::Session> session;
};

Daemon::Daemon(boot::Init init, settings::Settings settings, const config::Environment& environment,
               Folders folders, UniqueFd in, UniqueFd out)
    : init_(std::move(init)),
      settings_(std::move(settings)),
      folders_(std::move(folders)),
      parent_(reactor_, std::move(in), std::move(out), *this),
      starter_(reactor_, supervisor_, *this, entries(environment)),
      node_(reactor_, {.self = {NodeId{init_.first}, Incarnation{init_.incarnation}},
                       .cluster = init_.cluster,
                       .host = init_.embedded ? node::host_name() : init_.hosts[0],
                       .key = init_.key,
                       .listen = "",
                       .watch = {.patience = settings_.hotplug.heartbeat_timeout +
                                             settings_.hotplug.heartbeat_period},
                       .hotplug = options_of(settings_.hotplug),
                       .memory_budget = budget_of(init_, settings_.memory),
                       .memory_patience = settings_.memory.patience}),
      grower_(node_, supervisor_, init_, settings_.launch.timeout, entries(environment),
              [this] { return open_network(); }),
      traffic_(node_.registry(), frame_name) {
  parent_.count_in(traffic_);
  sigset_t ends;
  sigemptyset(&ends);
  for (const int s : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&ends, s);
  sigprocmask(SIG_BLOCK, &ends, nullptr);
  signals_.reset(signalfd(-1, &ends, SFD_CLOEXEC | SFD_NONBLOCK));
  KRG_ASSERT(reactor_.watch(signals_.get(), EPOLLIN, *this));
}

Daemon::~Daemon() = default;

int Daemon::run() {
  reactor_.spawn(start());
  reactor_.run();
  return exit_code_;
}

void Daemon::close() noexcept { listener_.reset(); }

// Comes into the cluster: the krgds below first, for they take longest.
Co<void> Daemon::start() {
  if (init_.hosts.size() > 1) starter_.start(init_, 1);
  const bool joins = !init_.contacts.empty();
  Status status;
  if (init_.nodes > 1 || joins) {
    status = node_.open_fabric(fabric_opener(settings_.transport, init_.alone));
    if (!status) complaint_ = "the network can not be opened: ";
  }
  if (status) {
    boot::Hello hello;
    hello.member = node_.member();
    hello.pid = static_cast<std::uint32_t>(getpid());
    if (init_.want_topology) topology_ = hello.topology = read_topology();
    parent_.send(hello);
    node_.on_over([this](Errc why) { on_over(why); });
  }
  if (status && !joins) status = co_await found();
  if (status) status = open_services();
  if (status) {
    complaint_ = "the control socket can not be opened: ";
    status = co_await open_control_socket();
  }
  if (status && joins) status = co_await enter();
  if (!status) {
    const std::string text = complaint_ + status.error().message();
    KRG_ERROR("{}", text);
    parent_.send(boot::Failed{init_.first, text});
    co_return end(1);
  }
  ready_ = true;
  parent_.send(boot::Ready{init_.first});
  if (init_.pmi != boot::Init::Pmi::later) {
    // While the launcher places the ranks. What fails here fails again, and is told, with the job.
    (void)pmi_->service(init_.pmi == boot::Init::Pmi::pmix, init_.finalize_breaker);
  }
}

Co<Status> Daemon::found() {
  // EOF on the channel ends a wait for a launcher that is gone.
  (void)co_await view_arrived_.wait(Deadline::never());
  complaint_ = "the cluster can not be founded: ";
  if (!view_->contains(node_.self())) {
    co_return Error(Errc::invalid_argument, "it was made without this node");
  }
  co_return node_.found(std::move(*view_));
}

Status Daemon::open_services() {
  complaint_ = "the gate can not be opened: ";
  KRG_TRY(node_.open_gate(folders_.own + "/gate"));
  pmi_ = std::make_unique<jobs::Pmi>(node_, folders_.own, keep_topology(topology_));
  node_.add_listener(*this);
  jobs_ = std::make_unique<jobs::Service>(node_, supervisor_, *pmi_);
  launcher_ = session(parent_, false);
  node_.rpc().serve<node::Leave>([this](rpc::Incoming&, wire::Empty&) -> Result<wire::Empty> {
    reactor_.spawn(leave());
    return wire::Empty{};
  });
  return {};
}

// Into a cluster that runs.
Co<Status> Daemon::enter() {
  complaint_ = "it was not let into the cluster: ";
  co_return co_await node_.join(init_.contacts, reactor_.after(settings_.launch.timeout));
}

// Of a node that was the only one and gets company.
Status Daemon::open_network() {
  if (node_.membership() != nullptr) return {};
  KRG_TRY(node_.open_fabric(fabric_opener(settings_.transport, init_.alone && !init_.embedded)));
  cluster::View view = node_.view();
  view.members = {node_.member()};
  return node_.found(std::move(view));
}

// One that has started others, which hang on its channels, is needed.
Co<Status> Daemon::prepare(const cluster::ViewChange& change, Deadline) {
  const bool needed = !grower_.empty() || (!init_.standing && starter_.any_running());
  if (change.leaving.contains(node_.self()) && needed) {
    co_return Error(Errc::denied, "other krgds hang on this one");
  }
  co_return Status();
}

std::unique_ptr<jobs::Session> Daemon::session(control::Connection& client, bool may_end) {
  return std::make_unique<jobs::Session>(
      *jobs_, client,
      [this](std::vector<std::string> hosts) { return grower_.add(std::move(hosts)); },
      may_end ? std::function<void()>([this] { reactor_.spawn(end_cluster()); }) : nullptr);
}

// An earlier life of this node may not have ended yet, and takes the folder with it.
Co<Status> Daemon::open_control_socket() {
  control::ListenerHandler& handler = *this;
  const Deadline patience = reactor_.after(init_.incarnation > 1 ? kEarlierLife : Duration(0));
  while (true) {
    listener_ = std::make_unique<control::Listener>(reactor_, handler);
    Status opened = listener_->open(control::socket_of(folders_.cluster, init_.first));
    if (opened || patience.passed(reactor_.now())) co_return opened;
    listener_.reset();
    co_await reactor::sleep_for(reactor_, kAnswerTime);
    (void)mkdir(folders_.cluster.c_str(), 0700);
  }
}

// Ends this krgd after its answer has gone out.
Co<void> Daemon::leave() {
  co_await reactor::sleep_for(reactor_, kAnswerTime);
  end(0);
}

// This life is no member any more: what it holds may be somebody else's by now.
void Daemon::on_over(Errc why) {
  if (!ready_) return;  // join() tells.
  if (why == Errc::ok) {
    parent_.send(boot::Left{init_.first});
    return reactor_.spawn(leave());
  }
  KRG_ERROR("this node was excluded from the cluster, and ends");
  end(1);
}

// A tool ends the standing cluster: the others first, then this one.
Co<void> Daemon::end_cluster() {
  std::vector<NodeId> others;
  for (const cluster::Member& member : node_.view().members) {
    if (member.node != node_.self()) others.push_back(member.node);
  }
  // Who does not answer is gone or ends by the loss of the others.
  (void)co_await rpc::call_all<node::Leave>(node_.rpc(), std::move(others), {},
                                            reactor_.after(kShutdownTime));
  end(0);
}

// The machine's topology, for the launcher.
std::string Daemon::read_topology() {
  const Result<topo::Topology> machine = topo::Topology::machine();
  if (!machine) return "";
  Result<std::string> text = machine->xml();
  return text ? std::move(*text) : "";
}

// In a file for the ranks, which then need not look themselves. "" if there is none.
std::string Daemon::keep_topology(const std::string& xml) {
  if (xml.empty()) return "";
  const std::string path = folders_.own + "/topology.xml";
  const UniqueFd file(open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  const auto size = static_cast<ssize_t>(xml.size());
  return file && write(file.get(), xml.data(), xml.size()) == size ? path : "";
}

void Daemon::end(int code) {
  if (ending_) return;
  ending_ = true;
  exit_code_ = code;
  node_.stop();
  reactor_.spawn(shut_down());
}

Co<void> Daemon::shut_down() {
  const Deadline deadline = reactor_.after(kShutdownTime);
  bool clean = co_await starter_.shutdown(deadline);
  if (!grower_.empty()) clean = co_await grower_.shutdown(deadline) && clean;
  if (!clean) KRG_WARN("not every krgd below this one has ended");
  parent_.flush();
  reactor_.stop();
}

void Daemon::on_frame(control::Connection& from, std::uint16_t type, wire::Bytes body) {
  if (&from != &parent_) {
    for (const auto& client : clients_) {
      if (client->connection.get() != &from) continue;
      if (!client->session->on_frame(type, body)) forget(from);
      return;
    }
    return;
  }
  if (type == boot::ViewMade::kFrame) {
    auto made = wire::decode<boot::ViewMade>(body);
    if (!made || !cluster::check(made->view)) return end(1);
    starter_.send_view(*made);
    view_ = std::move(made->view);
    if (!init_.want_topology) topology_ = std::move(made->topology);
    view_arrived_.set();
  } else if (type == boot::Shutdown::kFrame) {
    end(0);
  } else if (launcher_ == nullptr || !launcher_->on_frame(type, body)) {
    KRG_ERROR("the launcher sent a frame of type {} that makes no sense", type);
    end(1);
  }
}

void Daemon::on_closed(control::Connection& connection, Status) {
  if (&connection != &parent_) return forget(connection);
  launcher_.reset();
  // A standing krgd lives on without whoever started it, once it is up.
  if (!(init_.standing && ready_)) end(1);
}

void Daemon::on_caller(UniqueFd caller) {
  auto client = std::make_unique<Client>();
  control::ConnectionHandler& handler = *this;
  client->connection =
      std::make_unique<control::Connection>(reactor_, std::move(caller), UniqueFd(), handler);
  client->connection->count_in(traffic_);
  client->session = session(*client->connection, init_.standing);
  clients_.push_back(std::move(client));
}

void Daemon::forget(control::Connection& connection) {
  std::erase_if(clients_,
                [&](const auto& client) { return client->connection.get() == &connection; });
}

void Daemon::on_failed(const boot::Failed& failed) {
  if (parent_.open()) parent_.send(failed);
}

void Daemon::on_fd(std::uint32_t) noexcept {
  signalfd_siginfo info;
  if (read(signals_.get(), &info, sizeof info) == sizeof info) {
    end(128 + static_cast<int>(info.ssi_signo));
  }
}

}  // namespace krg::krgd
