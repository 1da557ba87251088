#include "krg/runner/start_cluster.h"

#include <unistd.h>

#include <csignal>
#include <cstdio>

#include "cluster.h"
#include "krg/reactor/block_on.h"

namespace krg::runner {
namespace {

constexpr Duration kShutdownTime = std::chrono::seconds(4);

class Founder final : private ClusterClient {
 public:
  Founder(const krgrun::Job& job, const config::Environment& environment)
      : start_time_(job.settings.launch.timeout),
        cluster_(reactor_, supervisor_, environment, job, *this) {
    cluster_.set_standing();
  }
  int run() { return reactor::block_on(reactor_, work()); }

 private:
  Co<int> work() {
    const Status up = co_await cluster_.come_up(reactor_.after(start_time_));
    if (up) co_return 0;
    std::fprintf(stderr, "krgadm: %s\n", cluster_.complaint().c_str());
    co_await cluster_.shut_down(reactor_.after(kShutdownTime));
    co_return 1;
  }
  void on_frame(std::uint16_t, wire::Bytes) override {}
  void on_cluster_lost(const std::string&) override {}

  const Duration start_time_;
  reactor::RealClock clock_;
  reactor::Reactor reactor_{clock_};
  proc::Supervisor supervisor_{reactor_};
  Cluster cluster_;
};

}  // namespace

int start_cluster(const krgrun::ClusterChoice& choice, const settings::Settings& settings,
                  const config::Environment& environment) {
  signal(SIGPIPE, SIG_IGN);
  krgrun::Job job;
  job.cluster = choice;
  job.settings = settings;
  // Never destroyed: a Supervisor would end what it has started, and the krgds shall stay.
  auto* const founder = new Founder(job, environment);
  const int code = founder->run();
  std::fflush(stdout);
  _exit(code);
}

}  // namespace krg::runner
