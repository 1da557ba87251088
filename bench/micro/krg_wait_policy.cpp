// krg_wait_policy: the reactor's adaptive waiting beside each fixed way to wait.

#include <utility>

#include "krg/baseline/ping_pong.h"
#include "krg/harness/program.h"

using namespace krg;
using Waiting = reactor::Reactor::Waiting;

namespace {

constexpr std::pair<Waiting, const char*> kWays[] = {{Waiting::adaptive, "adaptive"},
                                                     {Waiting::poll, "poll"},
                                                     {Waiting::yield, "yield"},
                                                     {Waiting::block, "block"}};

// A job's detail: pairs in the low half, busy processes in the high one.
constexpr std::uint64_t detail(unsigned pairs, unsigned busy) {
  return std::uint64_t{busy} << 32 | pairs;
}

baseline::PingPong game_of(harness::Transport transport, const harness::Job& job, Waiting waiting) {
  return {.transport = transport,
          .pairs = static_cast<unsigned>(job.detail),
          .busy = static_cast<unsigned>(job.detail >> 32),
          .waiting = waiting,
          .size = static_cast<std::size_t>(job.size),
          .length = job.length};
}

template <class Measure>
harness::MakeContestant contestant(harness::Transport transport, Waiting waiting, Measure measure) {
  return harness::solo([=](const harness::Job& job) -> Result<harness::Sample> {
    KRG_TRY_ASSIGN(const double value, measure(game_of(transport, job, waiting)));
    return harness::Sample{value, 0};
  });
}

}  // namespace

int main(int argc, char** argv) {
  harness::Program program(
      "krg_wait_policy",
      "the best of poll, yield and block (the column peer says which), in round "
      "trips of raw UCX active messages; adaptive waiting is to reach 0.8 of "
      "it in each row, and below 0.2 % of a core when idle");
  program.default_run(std::chrono::milliseconds(300));
  program.only_over({harness::Transport::shm, harness::Transport::tcp},
                    "a simulation does not wait");
  program.sizes_are("bytes of each message (default 8)", 1, 1u << 20);
  const auto transport = program.parse(argc, argv).transport;
  harness::Match match;
  match.base = harness::Base::highest;
  match.server = false;
  for (const auto& [waiting, name] : kWays) {
    match.entrants.push_back({name, contestant(transport, waiting, baseline::ping_pong)});
  }
  for (const std::size_t size : program.sizes_or({8})) {
    for (const unsigned busy : {0u, 2u}) {
      for (const unsigned pairs : {1u, 2u, 4u, 8u}) {
        match.rows.push_back({std::to_string(pairs) + (pairs == 1 ? " pair, " : " pairs, ") +
                                  std::to_string(busy) + " busy",
                              "1/s",
                              {.size = size, .detail = detail(pairs, busy)}});
      }
    }
  }
  program.add(std::move(match));
  harness::Match idle;
  idle.server = false;
  idle.entrants = {{"adaptive", contestant(transport, Waiting::adaptive, baseline::idle_share)},
                   {"block", contestant(transport, Waiting::block, baseline::idle_share)}};
  idle.rows = {{"idle", "%", {.size = 0, .detail = detail(1, 0)}}};
  program.add(std::move(idle));
  return program.run();
}
