// runner.h: one job of krgrun, from the first krgd to the exit code.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "cluster.h"
#include "input.h"
#include "krg/base/unique_fd.h"
#include "krg/config/environment.h"
#include "krg/jobs/client.h"
#include "krg/krgrun/job.h"
#include "printer.h"

namespace krg::runner {

class Runner final : private ClusterClient, private reactor::FdHandler {
 public:
  Runner(const krgrun::Job& job, const config::Environment& environment, std::function<int()> krgd);
  ~Runner();
  int run();

 private:
  Co<int> work();
  Co<int> converse();
  Result<jobs::JobSpec> place();
  Co<void> time_out();
  Co<void> watch_leader();
  void say(const std::string& line);
  void end(int code, const std::string& why);

  void on_frame(std::uint16_t type, wire::Bytes body) override;
  void on_cluster_lost(const std::string& why) override;
  void on_fd(std::uint32_t events) noexcept override;  // Signals.
  void on_signal(int number);
  void grown(const jobs::Grown& grown);
  void print(const jobs::Output& output);

  const krgrun::Job& job_;
  reactor::RealClock clock_;
  reactor::Reactor reactor_{clock_};
  proc::Supervisor supervisor_{reactor_};
  UniqueFd signals_;
  Cluster cluster_;
  std::unique_ptr<Printer> printer_;
  std::unique_ptr<InputReader> input_;
  reactor::Event changed_{reactor_};
  bool sent_ = false;  // The job is krgd's.
  int interrupts_ = 0;
  TimePoint heard_;  // When krgd last said anything.
  std::optional<jobs::Ended> ended_;
};

}  // namespace krg::runner
