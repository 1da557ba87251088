#include "krg/runner/start_nodes.h"

#include <csignal>

#include "krg/boot/starter.h"
#include "krg/proc/supervisor.h"
#include "krg/reactor/block_on.h"
#include "krg/reactor/event.h"

namespace krg::runner {
namespace {

std::vector<std::string> entries(const config::Environment& environment) {
  std::vector<std::string> all;
  for (const auto& [name, value] : environment.all()) all.push_back(name + "=" + value);
  return all;
}

class Company final : private boot::Upward {
 public:
  Company(jobs::NodesAdded& nodes, const config::Environment& environment)
      : nodes_(nodes), starter_(reactor_, supervisor_, *this, entries(environment)) {}

  void run(std::chrono::milliseconds patience) {
    reactor::block_on(reactor_, work(reactor_.after(patience)));
  }

 private:
  Co<int> work(Deadline deadline) {
    for (const auto& one : nodes_.nodes) {
      if (one.plan.empty()) continue;
      ++left_;
      starter_.start(one.plan.front(), 0);
    }
    bool in_time = true;
    while (left_ > 0 && in_time) {
      changed_.clear();
      const Status changed = co_await changed_.wait(deadline);
      in_time = changed.has_value();
    }
    for (auto& one : nodes_.nodes) {
      if (one.plan.empty()) continue;
      one.plan.clear();
      one.why = "it was not let in, or did not answer, in time";
    }
    co_return 0;
  }
  void settle(std::uint32_t node, const std::string& why) {
    for (auto& one : nodes_.nodes) {
      if (one.node.value != node || one.plan.empty()) continue;
      one.plan.clear();
      one.why = why;
      --left_;
      changed_.set();
    }
  }
  void on_hello(const boot::Hello&) override {}
  void on_ready(const boot::Ready& ready) override { settle(ready.node, ""); }
  void on_failed(const boot::Failed& failed) override { settle(failed.node, failed.text); }
  void on_client_frame(std::uint16_t, wire::Bytes) override {}

  jobs::NodesAdded& nodes_;
  std::size_t left_ = 0;
  reactor::RealClock clock_;
  reactor::Reactor reactor_{clock_};
  proc::Supervisor supervisor_{reactor_};
  reactor::Event changed_{reactor_};
  boot::Starter starter_;
};

}  // namespace

void start_nodes(jobs::NodesAdded& nodes, const config::Environment& environment,
                 std::chrono::milliseconds patience) {
  signal(SIGPIPE, SIG_IGN);
  // Never destroyed: a Supervisor would end what it has started, and the krgds shall stay.
  auto* const company = new Company(nodes, environment);
  company->run(patience);
}

}  // namespace krg::runner
