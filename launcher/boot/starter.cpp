#include "krg/boot/starter.h"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <sstream>

#include "krg/log/log.h"

namespace krg::boot {
namespace {

// No task of a job is in this group.
constexpr std::uint32_t kBootGroup = 0xffffffffu;

// For a remote shell: in single quotes.
std::string quoted(const std::string& text) {
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'') {
      out += "'\\''";
    } else {
      out += c;
    }
  }
  return out + "'";
}

std::vector<std::string> words(const std::string& text) {
  std::istringstream in(text);
  std::vector<std::string> out;
  for (std::string word; in >> word;) out.push_back(word);
  return out;
}

std::vector<std::string> command(const Init& plan, const std::string& host) {
  if (plan.embedded) return {plan.program, "--boot"};
  std::vector<std::string> argv = plan.agent.empty()
                                      ? std::vector<std::string>{"ssh", "-x", "-o", "BatchMode=yes"}
                                      : words(plan.agent);
  argv.push_back(host);
  argv.push_back(quoted(plan.program));
  argv.push_back("--boot");
  return argv;
}

}  // namespace

struct Starter::Child {
  std::uint32_t first = 0;  // Node ids [first, first + count).
  std::uint32_t count = 0;
  std::string host;
  std::string how;  // "ssh", the agent, or "krgd": what was executed.
  proc::TaskId task;
  bool running = true;
  bool told = false;  // Its end, or that it could not be started.
  bool greeted = false;
  std::unique_ptr<control::Connection> connection;
};

Starter::Starter(reactor::Reactor& reactor, proc::Supervisor& supervisor, Upward& upward,
                 std::vector<std::string> environment, std::function<int()> krgd)
    : reactor_(reactor),
      supervisor_(supervisor),
      upward_(upward),
      environment_(std::move(environment)),
      krgd_(std::move(krgd)),
      changed_(reactor) {}

Starter::~Starter() = default;

void Starter::start(const Init& plan, std::size_t skip) {
  const std::size_t total = plan.hosts.size() - skip;
  const std::size_t parts = std::min(total, kFanOut);
  std::size_t begin = skip;
  for (std::size_t part = 0; part < parts; ++part) {
    // The first `total % parts` parts hold one more.
    const std::size_t size = total / parts + (part < total % parts ? 1 : 0);
    start_child(plan, begin, begin + size);
    begin += size;
  }
}

void Starter::start_child(const Init& plan, std::size_t begin, std::size_t end) {
  const auto node = static_cast<std::uint32_t>(plan.first + begin);
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
    return fail_at_once(node, "no descriptor for its channel");
  }
  UniqueFd mine(ends[0]), theirs(ends[1]);
  auto child = std::make_unique<Child>();
  child->first = node;
  child->count = static_cast<std::uint32_t>(end - begin);
  child->host = plan.hosts[begin];
  proc::TaskSpec spec;
  spec.argv = command(plan, child->host);
  spec.env = environment_;
  if (plan.embedded) spec.body = krgd_;
  spec.fds = {{theirs.get(), 0}, {theirs.get(), 1}, {STDERR_FILENO, 2}};
  spec.group = kBootGroup;
  spec.dies_with_parent = false;  // krgd cleans up when its channel closes.
  child->how = spec.argv[0];
  const Result<proc::TaskId> task = supervisor_.spawn(spec, *this);
  if (!task) return fail_at_once(node, spec.argv[0] + ": " + task.error().message());
  child->task = *task;
  theirs.reset();
  control::ConnectionHandler& handler = *this;
  child->connection =
      std::make_unique<control::Connection>(reactor_, std::move(mine), UniqueFd(), handler);
  Init init = plan;
  init.first = node;
  init.hosts.assign(plan.hosts.begin() + static_cast<std::ptrdiff_t>(begin),
                    plan.hosts.begin() + static_cast<std::ptrdiff_t>(end));
  child->connection->send(init);
  children_.push_back(std::move(child));
}

void Starter::fail_at_once(std::uint32_t node, const std::string& text) {
  upward_.on_failed({node, text});
}

// Tells the end of a child once, and not when it was asked for.
void Starter::fail(Child& child, const std::string& text) {
  if (child.told) return;
  child.told = true;
  changed_.set();
  if (!ending_) upward_.on_failed({child.first, text});
}

Starter::Child* Starter::find(const control::Connection& connection) noexcept {
  for (const auto& child : children_) {
    if (child->connection.get() == &connection) return child.get();
  }
  return nullptr;
}

control::Connection& Starter::first() noexcept { return *children_.front()->connection; }

void Starter::send_view(const ViewMade& view) {
  for (const auto& child : children_) child->connection->send(view);
}

void Starter::on_frame(control::Connection& from, std::uint16_t type, wire::Bytes body) {
  Child* const child = find(from);
  if (child == nullptr) return;
  if (type >= kFirstClientFrame) return upward_.on_client_frame(type, body);
  bool understood = false;
  const auto pass = [&]<class M>(void (Upward::*told)(const M&)) {
    if (type != M::kFrame) return;
    if (const auto message = wire::decode<M>(body)) {
      understood = true;
      (upward_.*told)(*message);
    }
  };
  child->greeted = true;
  if (type == Left::kFrame && wire::decode<Left>(body)) {
    child->told = true;
    return;
  }
  pass(&Upward::on_hello);
  pass(&Upward::on_ready);
  pass(&Upward::on_failed);
  if (!understood)
    KRG_ERROR("host {} sent a frame of type {} that makes no sense", child->host, type);
}

void Starter::on_closed(control::Connection& connection, Status) {
  Child* const child = find(connection);
  if (child == nullptr) return;
  // Before its greeting the exit code says more; it follows.
  if (child->greeted || !child->running) fail(*child, "its krgd has ended");
  changed_.set();
}

void Starter::on_exit(proc::TaskId task, const proc::ExitStatus& status) {
  for (const auto& child : children_) {
    if (child->task != task) continue;
    child->running = false;
    if (child->greeted) {
      fail(*child, child->how + " " + status.describe());
    } else {
      fail(*child, "no krgd was started there: " + child->how + " " + status.describe());
    }
  }
  changed_.set();
}

std::size_t Starter::living() const noexcept {
  return static_cast<std::size_t>(
      std::count_if(children_.begin(), children_.end(), [](const auto& c) { return c->running; }));
}

// Three steps, each for a third of the time: the word, SIGTERM, which a guard answers for a krgd
// that does not, and SIGKILL.
Co<bool> Starter::shutdown(Deadline deadline) {
  ending_ = true;
  const Duration third = (deadline.at() - reactor_.now()) / 3;
  bool clean = true;
  for (const int step : {0, SIGTERM, SIGKILL}) {
    for (const auto& child : children_) {
      if (step == 0) {
        child->connection->send(Shutdown{});
      } else if (child->running) {
        clean = false;
        (void)supervisor_.signal(child->task, step);
      }
    }
    const Deadline until = reactor_.after(third);
    while (living() > 0 && !until.passed(reactor_.now())) {
      changed_.clear();
      const Status changed = co_await changed_.wait(until);
      if (!changed) break;
    }
  }
  for (const auto& child : children_) child->connection.reset();
  co_return clean;
}

}  // namespace krg::boot
