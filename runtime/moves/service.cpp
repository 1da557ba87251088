#include "krg/moves/service.h"

#include <fmt/format.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>

#include "krg/log/log.h"
#include "krg/proc/descendants.h"
#include "krg/reactor/event.h"
#include "krg/rpc/multicast.h"
#include "messages.h"
#include "pipe_end.h"

namespace krg::moves {
namespace {

constexpr Duration kFindTime = std::chrono::seconds(5);
// A mover gives up a move after 60 s.
constexpr Duration kOrderTime = std::chrono::seconds(75);
constexpr std::size_t kPartBytes = 7800;  // With its length, it fits an item of a stream.

// As krgd's network providers, it stands beside this program, as built and as installed.
std::string mover_path() {
  std::array<char, 4096> self{};
  const ssize_t n = readlink("/proc/self/exe", self.data(), self.size() - 1);
  const std::string path(self.data(), n > 0 ? static_cast<std::size_t>(n) : 0);
  std::string found;
  for (const char* folder : {"lib/krg", KRG_PLUGIN_DIR}) {
    found = path.substr(0, path.rfind('/') + 1) + "../" + folder + "/krg_mover";
    if (access(found.c_str(), X_OK) == 0) break;
  }
  return found;
}

Result<std::pair<UniqueFd, UniqueFd>> make_stream() {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
    return errno_error(Errc::limit_reached, "no descriptors for a mover");
  }
  return std::pair(UniqueFd(ends[0]), UniqueFd(ends[1]));
}

Moved failed(std::string complaint) {
  Moved moved;
  moved.complaint = std::move(complaint);
  return moved;
}

// What a mover writes, until it ends.
template <class Stream>
Co<void> send_all(PipeEnd& end, Stream& stream) {
  while (true) {
    Carry::Part part;
    part.bytes = co_await end.read(kPartBytes);
    if (part.bytes.empty()) break;
    // As long as the other side lives, it reads as fast as its task does: there is no deadline.
    const Status sent = co_await stream.send(part, Deadline::never());
    if (!sent) break;
  }
  stream.end();
}

template <class Stream>
Co<void> receive_all(PipeEnd& end, Stream& stream) {
  while (true) {
    // A task may be silent for as long as it runs.
    auto part = co_await stream.recv(Deadline::never());
    if (!part) break;
    const Status written = co_await end.write(std::move(part->bytes));
    if (!written) break;
  }
  end.close();
}

Co<void> counted(reactor::WaitGroup& group, Co<void> work) {
  co_await std::move(work);
  group.done();
}

template <class Stream>
Co<void> carry_both(reactor::Reactor& reactor, PipeEnd& end, Stream& stream) {
  reactor::WaitGroup group(reactor);
  group.add(2);
  reactor.spawn(counted(group, send_all(end, stream)));
  reactor.spawn(counted(group, receive_all(end, stream)));
  // Each ends with the other.
  (void)co_await group.wait(Deadline::never());
}

}  // namespace

struct Service::Mover {
  explicit Mover(reactor::Reactor& reactor) : answered(reactor) {}
  proc::TaskId task;
  pid_t pid = 0;            // Of a home mover: its task.
  std::uint64_t token = 0;  // Of a host mover.
  std::unique_ptr<epm::Port> port;
  bool busy = false;
  reactor::Event answered;
  std::optional<epm::Answer> answer;
};

Service::Service(node::Node& node, proc::Supervisor& supervisor)
    : node_(node), supervisor_(supervisor) {
  serve();
}

Service::~Service() = default;

void Service::serve() {
  rpc::Rpc& rpc = node_.rpc();
  rpc.serve<Find>([this](rpc::Incoming&, Find::Request& request) -> Result<Find::Reply> {
    return Find::Reply{started_here(request.pid)};
  });
  rpc.serve<Move>([this](rpc::Incoming&, Move::Request request) -> Co<Result<Move::Reply>> {
    Moved moved = co_await order(request);
    co_return moved;
  });
  rpc.serve<Carry>([this](rpc::Incoming&, Carry::Request request,
                          rpc::ServerStream<Carry>& stream) -> Co<Result<Carry::Reply>> {
    KRG_CO_TRY_ASSIGN(UniqueFd ours, take_stream(request.token));
    PipeEnd end(node_.reactor(), std::move(ours));
    co_await carry_both(node_.reactor(), end, stream);
    co_return Carry::Reply{};
  });
}

// Whether it comes from a task of this krgd and not from a mover.
bool Service::started_here(pid_t pid) const {
  const auto all = proc::descendants();
  const auto at = std::find_if(all.begin(), all.end(),
                               [pid](const proc::Descendant& one) { return one.pid == pid; });
  if (at == all.end() || at->zombie) return false;
  return std::none_of(movers_.begin(), movers_.end(), [&](const auto& entry) {
    return supervisor_.pid(entry.first) == at->branch;
  });
}

Co<Moved> Service::move(AskMove ask) {
  if (!ask.only_check && node_.view().find(ask.to) == nullptr) {
    co_return failed(fmt::format("the cluster has no node {}", ask.to.value));
  }
  if (ask.home == kNoNode) {
    std::vector<NodeId> found;
    const Find::Request request{ask.pid};
    const auto replies = co_await rpc::call_all<Find>(node_.rpc(), node_.view().node_ids(), request,
                                                      node_.reactor().after(kFindTime));
    for (const auto& one : replies) {
      if (one.reply && one.reply->started_here) found.push_back(one.node);
    }
    if (found.empty()) {
      co_return failed(fmt::format("no task of this cluster was started as process {}", ask.pid));
    }
    if (found.size() > 1) {
      co_return failed(
          fmt::format("nodes {} and {} both have started a process {}: say which by "
                      "{}:{}",
                      found[0].value, found[1].value, ask.pid, found[0].value, ask.pid));
    }
    ask.home = found[0];
  }
  if (node_.view().find(ask.home) == nullptr) {
    co_return failed(fmt::format("the cluster has no node {}", ask.home.value));
  }
  const auto reply =
      co_await node_.rpc().call<Move>(ask.home, ask, {node_.reactor().after(kOrderTime)});
  co_return reply ? *reply : failed(reply.error().message());
}

std::shared_ptr<Service::Mover> Service::of_pid(pid_t pid) const noexcept {
  for (const auto& [task, mover] : movers_) {
    if (mover->pid == pid) return mover;
  }
  return nullptr;
}

// The task is one of ours.
Co<Moved> Service::order(AskMove ask) {
  if (!started_here(ask.pid)) {
    co_return failed(
        fmt::format("node {} has not started a process {}", node_.self().value, ask.pid));
  }
  if (may_move_ && !may_move_(ask.pid)) {
    co_return failed("it has not the capability CAN_MIGRATE: see krgcapset(1)");
  }
  std::shared_ptr<Mover> mover = of_pid(ask.pid);
  if (mover == nullptr) {
    auto started = start_mover(ask.pid, UniqueFd());
    if (!started) co_return failed("no mover: " + started.error().message());
    mover = std::move(*started);
  }
  if (mover->busy) co_return failed("it is being moved already");
  mover->busy = true;
  mover->answered.clear();
  mover->answer.reset();
  const epm::Order order{ask.to, node_.self(), ask.only_check, ask.eager};
  const Status sent = mover->port->send(order);
  if (sent) (void)co_await mover->answered.wait(node_.reactor().after(kOrderTime));
  mover->busy = false;
  if (!mover->answer) co_return failed("its mover has ended: the log says why");
  Moved moved;
  moved.complaint = std::move(mover->answer->complaint);
  moved.problems = std::move(mover->answer->problems);
  moved.node = mover->answer->away ? mover->answer->node : node_.self();
  moved.stopped_us = mover->answer->stopped_us;
  co_return moved;
}

Result<std::shared_ptr<Service::Mover>> Service::start_mover(pid_t pid, UniqueFd home) {
  KRG_TRY_ASSIGN(auto ends, epm::Port::make());
  proc::TaskSpec spec;
  spec.argv = {mover_path()};
  spec.fds = {{ends.second.get(), 3}, {STDERR_FILENO, 1}, {STDERR_FILENO, 2}};
  KRG_TRY_ASSIGN(const proc::TaskId task, supervisor_.spawn(spec, *this));
  const auto mover = std::make_shared<Mover>(node_.reactor());
  mover->task = task;
  mover->pid = pid;
  if (home) mover->token = ++last_token_;
  Mover& known = *mover;
  mover->port = std::make_unique<epm::Port>(
      node_.reactor(), std::move(ends.first),
      [this, &known](std::uint16_t type, wire::Bytes body, UniqueFd) { heard(known, type, body); });
  movers_.emplace(task, mover);
  KRG_TRY(mover->port->send(epm::Welcome{pid, mover->token}, home.get()));
  return mover;
}

void Service::heard(Mover& mover, std::uint16_t type, wire::Bytes body) {
  if (type == epm::Open::kFrame) {
    const auto wish = wire::decode<epm::Open>(body);
    if (wish) open(mover, *wish);
  } else if (type == epm::Answer::kFrame) {
    auto answer = wire::decode<epm::Answer>(body);
    if (!answer) return;
    mover.answer = std::move(*answer);
    mover.answered.set();
  }
}

void Service::open(Mover& mover, const epm::Open& wish) {
  auto ends = make_stream();
  if (!ends) return (void)mover.port->send(epm::Opened{ends.error().message()});
  const auto carry = [](node::Node& node, epm::Open to, UniqueFd ours) -> Co<void> {
    PipeEnd end(node.reactor(), std::move(ours));
    // It lasts as long as the task is there.
    const auto stream =
        node.rpc().open<Carry>(to.node, Carry::Request{to.token}, {Deadline::never()});
    co_await carry_both(node.reactor(), end, *stream);
  };
  node_.reactor().spawn(carry(node_, wish, std::move(ends->first)));
  (void)mover.port->send(epm::Opened{}, ends->second.get());
}

// Our end of a stream whose other end a mover of ours has got.
Result<UniqueFd> Service::take_stream(std::uint64_t token) {
  KRG_TRY_ASSIGN(auto ends, make_stream());
  if (token == 0) {
    KRG_TRY(start_mover(0, std::move(ends.second)));
    return std::move(ends.first);
  }
  for (const auto& [task, mover] : movers_) {
    if (mover->token != token) continue;
    KRG_TRY(mover->port->send(epm::Attach{}, ends.second.get()));
    return std::move(ends.first);
  }
  return Error(Errc::not_found, "no mover of that name");
}

void Service::on_exit(proc::TaskId task, const proc::ExitStatus& status) {
  const auto at = movers_.find(task);
  if (at == movers_.end()) return;
  if (!status.success()) KRG_WARN("a mover {}", status.describe());
  at->second->port.reset();
  at->second->answered.set();
  movers_.erase(at);
}

}  // namespace krg::moves
