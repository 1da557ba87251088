// harness/contestant.h: one side of a comparison: krg, or a raw peer.
//
// Model    a contestant lives in two processes at once, forked before anything was opened: the
// client
//          measures, the server answers. open() is called in both; then for every run serve() in
//          the server and measure() in the client, one contestant at a time, so that their runs
//          interleave. A Solo contestant needs no server: it is a function that measures.
// Threads  each process calls its contestants from one thread.
// Blocks   as long as a run takes.
// Source   bench/harness/README.md
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <type_traits>

#include "krg/error/result.h"
#include "krg/harness/meeting.h"
#include "krg/harness/statistics.h"

namespace krg::harness {

enum class Side { client, server };
// latency: one request at a time, microseconds there and back. rate: `window` requests in flight,
// their number per second. bandwidth: `window` requests of `size` bytes with empty replies, MB/s
// (1e6 bytes).
enum class Kind : std::uint32_t { latency, rate, bandwidth };

// One run. Lies in memory shared by the two processes.
struct Job {
  Kind kind = Kind::latency;
  std::uint32_t window = 1;
  std::uint64_t size = 0;
  std::chrono::nanoseconds length{0};
  // Bytes of the reply where the data go that way; the request then is short. 0: as the kind says.
  std::uint64_t reply = 0;
  // How many buffers take turns where data come from, and where they go to.
  std::uint32_t places = 1;
  std::uint64_t detail = 0;  // For what only the bench itself understands.
};
static_assert(std::is_trivially_copyable_v<Job>);

// The server's right to run: lost when the client's run is over.
class Baton {
 public:
  Baton(const std::atomic<std::uint32_t>& turn, std::uint32_t mine) : turn_(turn), mine_(mine) {}
  // Cost  a load of a line that nobody writes during a run.
  bool held() const noexcept { return turn_.load(std::memory_order_relaxed) == mine_; }

 private:
  const std::atomic<std::uint32_t>& turn_;
  std::uint32_t mine_;
};

class Contestant {
 public:
  virtual ~Contestant();
  // Opens and exchanges addresses; both processes are in it at the same time.
  virtual Status open(Side side, Meeting& meeting);
  // Answers the client until the baton is lost, and then leaves nothing half sent.
  virtual void serve(const Job& job, const Baton& baton);
  // One run. Returns with nothing in flight.
  virtual Result<Sample> measure(const Job& job) = 0;
};

using MakeContestant = std::function<std::unique_ptr<Contestant>()>;

// A contestant without a server, from a function.
MakeContestant solo(std::function<Result<Sample>(const Job&)> measure);

}  // namespace krg::harness
