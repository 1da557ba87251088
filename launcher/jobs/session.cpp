#include "krg/jobs/session.h"

#include "head_job.h"
#include "krg/hotplug/roster.h"
#include "krg/log/log.h"
#include "krg/rpc/multicast.h"

namespace krg::jobs {
namespace {

constexpr Duration kStatusTime = std::chrono::seconds(3);

std::string_view reason_of(const Error& error) {
  return error.what() == nullptr ? text(error.code()) : error.what();
}

}  // namespace

Session::Session(Service& service, control::Connection& client, Desk::Add add,
                 std::function<void()> end_cluster)
    : service_(service),
      client_(client),
      end_cluster_(std::move(end_cluster)),
      desk_(service.node(), client, std::move(add)),
      tasks_desk_(service.node(), client) {}

Session::~Session() {
  if (job_ != nullptr) job_->abandon();
}

template <class M, class F>
bool Session::take(wire::Bytes body, F then) {
  auto message = wire::decode<M>(body);
  if (!message) return false;
  then(*message);
  return true;
}

template <class Question, class All>
Co<void> Session::tell_all(std::weak_ptr<char> alive, typename Question::Request request) {
  node::Node& node = service_.node();
  const auto replies = co_await rpc::call_all<Question>(
      node.rpc(), node.view().node_ids(), std::move(request), node.reactor().after(kStatusTime));
  if (alive.expired()) co_return;
  All answer;
  for (const auto& reply : replies) {
    if (reply.reply) answer.nodes.push_back({reply.node, *reply.reply});
  }
  client_.send(answer);
}

bool Session::on_frame(std::uint16_t type, wire::Bytes body) {
  switch (type) {
    case Run::kFrame:
      return take<Run>(body, [this](Run& m) { run(std::move(m.spec)); });
    case Input::kFrame:
      return take<Input>(body, [this](Input& m) {
        if (job_ != nullptr) job_->input(std::move(m.bytes));
      });
    case Signal::kFrame:
      return take<Signal>(body, [this](Signal& m) {
        if (job_ != nullptr) job_->signal(m.number);
      });
    case Stop::kFrame:
      return take<Stop>(body, [this](Stop& m) {
        if (job_ != nullptr) job_->stop(std::move(m));
      });
    case AskNodes::kFrame:
      service_.node().reactor().spawn(tell_nodes(alive_));
      return true;
    case AskStats::kFrame:
      service_.node().reactor().spawn(tell_all<node::Stats, AllStats>(alive_, {}));
      return true;
    case AskMemory::kFrame:
      return take<AskMemory>(body, [this](AskMemory& m) {
        service_.node().reactor().spawn(tell_all<mm::Report, AllMemory>(alive_, m.request));
      });
    case moves::AskMove::kFrame:
      return take<moves::AskMove>(
          body, [this](moves::AskMove& m) { service_.node().reactor().spawn(move(alive_, m)); });
    case AskLocks::kFrame:
      service_.node().reactor().spawn(tell_all<sync::LockReport, AllLocks>(alive_, {}));
      return true;
    case AreYouThere::kFrame:
      client_.send(IAmHere{});
      return true;
    case EndCluster::kFrame:
      if (end_cluster_) end_cluster_();
      return static_cast<bool>(end_cluster_);
    default:
      if (TasksDesk::takes(type)) return tasks_desk_.on_frame(type, body);
      return Desk::takes(type) && desk_.on_frame(type, body);
  }
}

void Session::run(JobSpec spec) {
  if (job_ != nullptr) return client_.send(Ended{1, "this connection has had its job"});
  auto job = service_.lead(std::move(spec), client_);
  if (!job) return client_.send(Ended{1, "the job is refused: " + job.error().message()});
  job_ = std::move(*job);
}

Co<void> Session::tell_nodes(std::weak_ptr<char> alive) {
  node::Node& node = service_.node();
  const Status serving = node.serving();
  Nodes answer{node.options().cluster,
               node.view().epoch.value,
               node.view().coordinator,
               serving ? "" : std::string(reason_of(serving.error())),
               {}};
  std::vector<NodeId> asked;
  for (const hotplug::Record& record : node.roster().records) {
    const cluster::Member& member = record.member;
    answer.nodes.push_back({member.node,
                            member.incarnation,
                            member.host,
                            member.datagrams,
                            std::string(cluster::name_of(member.state)),
                            record.why,
                            {}});
    if (record.is_member()) asked.push_back(member.node);
  }
  const auto replies = co_await rpc::call_all<node::Status>(node.rpc(), std::move(asked), {},
                                                            node.reactor().after(kStatusTime));
  if (alive.expired()) co_return;
  for (const auto& reply : replies) {
    for (NodeReport& report : answer.nodes) {
      if (report.node != reply.node) continue;
      if (reply.reply) {
        report.status = *reply.reply;
      } else {
        report.state = "no answer";
      }
    }
  }
  client_.send(answer);
}

Co<void> Session::move(std::weak_ptr<char> alive, moves::AskMove ask) {
  moves::Moved moved = co_await service_.moves().move(ask);
  if (!alive.expired()) client_.send(moved);
}

}  // namespace krg::jobs
