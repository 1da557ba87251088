#include "table.h"

#include <fmt/core.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <memory>
#include <new>
#include <utility>

#include "krg/base/assert.h"

namespace krg::harness {
namespace {

using std::chrono::milliseconds;

constexpr std::uint32_t kQuit = 0xffffffff;
// A match that takes this much longer than its runs is stuck.
constexpr milliseconds kGrace{30000};
constexpr milliseconds kWarmUp{30};

struct Board {
  alignas(64) std::atomic<std::uint32_t> turn{0};  // Odd while a run is on.
  std::uint32_t entrant = 0;
  Job job;
  alignas(64) std::atomic<std::uint32_t> serving{0};  // The turn that the server has begun,
  std::atomic<std::uint32_t> served{0};               // and the one that it has ended.
};

class Arena {
 public:
  explicit Arena(std::size_t samples) : size_(sizeof(Board) + samples * sizeof(Sample)) {
    memory_ = mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    KRG_ASSERT(memory_ != MAP_FAILED);
    new (memory_) Board;
  }
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;
  ~Arena() { munmap(memory_, size_); }

  Board& board() noexcept { return *static_cast<Board*>(memory_); }
  Sample* samples() noexcept {
    return reinterpret_cast<Sample*>(static_cast<std::byte*>(memory_) + sizeof(Board));
  }

 private:
  std::size_t size_;
  void* memory_;
};

// The n-th processor that this process may use; the client takes the second, the server the first.
void pin_to(unsigned n) {
  cpu_set_t allowed;
  if (sched_getaffinity(0, sizeof allowed, &allowed) != 0 || CPU_COUNT(&allowed) < 2) return;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (!CPU_ISSET(cpu, &allowed) || n-- > 0) continue;
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    sched_setaffinity(0, sizeof one, &one);
    return;
  }
}

class Player {
 public:
  Player(const Match& match, const Settings& settings, Arena& arena, Meeting& meeting)
      : match_(match), settings_(settings), arena_(arena), meeting_(meeting) {}

  // The exit code of the process.
  int client() {
    if (!open(Side::client)) return 1;
    Sample* next = arena_.samples();
    for (const Row& row : match_.rows) {
      for (std::size_t e = 0; e < contestants_.size(); ++e) {
        if (!run(row, e, kWarmUp)) return 1;
      }
      for (unsigned round = 0; round < settings_.rounds; ++round) {
        for (std::size_t i = 0; i < contestants_.size(); ++i) {
          // Whoever goes first gets the caches that the other left; so the order alternates.
          const std::size_t e = round % 2 == 0 ? i : contestants_.size() - 1 - i;
          const auto sample = run(row, e, settings_.run);
          if (!sample) return 1;
          next[round * contestants_.size() + e] = *sample;
        }
      }
      next += settings_.rounds * contestants_.size();
    }
    return hand_over(kQuit, Job{}), 0;
  }

  int server() {
    if (!open(Side::server)) return 1;
    Board& board = arena_.board();
    for (std::uint32_t turn = 1;; turn += 2) {
      while (board.turn.load(std::memory_order_acquire) != turn) usleep(20);
      if (board.entrant == kQuit) return 0;
      board.serving.store(turn, std::memory_order_release);
      contestants_[board.entrant]->serve(board.job, Baton(board.turn, turn));
      board.served.store(turn, std::memory_order_release);
    }
  }

 private:
  bool open(Side side) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (settings_.pin && match_.server) pin_to(side == Side::client ? 1 : 0);
    meeting_.take_side(side == Side::client ? 0 : 1);
    for (const Entrant& entrant : match_.entrants) {
      contestants_.push_back(entrant.make());
      if (const Status status = contestants_.back()->open(side, meeting_); !status) {
        fmt::print(stderr, "{}: can not open: {}\n", entrant.name, status.error().message());
        return false;
      }
    }
    return true;
  }

  std::uint32_t hand_over(std::uint32_t entrant, const Job& job) {
    Board& board = arena_.board();
    board.entrant = entrant;
    board.job = job;
    return board.turn.fetch_add(1, std::memory_order_release) + 1;
  }

  Result<Sample> run(const Row& row, std::size_t entrant, milliseconds length) {
    Board& board = arena_.board();
    Job job = row.job;
    job.length = length;
    if (match_.server) {
      const std::uint32_t turn = hand_over(static_cast<std::uint32_t>(entrant), job);
      while (board.serving.load(std::memory_order_acquire) != turn) usleep(20);
    }
    auto sample = contestants_[entrant]->measure(job);
    if (!sample) {
      fmt::print(stderr, "{}, row '{}': {}\n", match_.entrants[entrant].name, row.name,
                 sample.error().message());
    }
    if (match_.server) {
      const std::uint32_t turn = board.turn.fetch_add(1, std::memory_order_release);
      while (board.served.load(std::memory_order_acquire) != turn) usleep(20);
    }
    return sample;
  }

  const Match& match_;
  const Settings& settings_;
  Arena& arena_;
  Meeting& meeting_;
  std::vector<std::unique_ptr<Contestant>> contestants_;
};

template <class Body>
pid_t fork_into(Body body) {
  std::fflush(nullptr);
  const pid_t pid = fork();
  if (pid == 0) {
    const int code = body();
    std::fflush(nullptr);
    _exit(code);  // Not exit(): what the parent registered is the parent's.
  }
  return pid;
}

// Waits for the children to end well; ends them if one does not.
Status watch_over(std::vector<pid_t> children, std::chrono::nanoseconds limit) {
  const auto end = std::chrono::steady_clock::now() + limit;
  Status outcome;
  while (!children.empty()) {
    int status = 0;
    const bool late = std::chrono::steady_clock::now() > end;
    if (late) {
      outcome = Error(Errc::timed_out, "the match did not end");
      for (const pid_t child : children) kill(child, SIGKILL);
    }
    for (std::size_t i = 0; i < children.size();) {
      if (waitpid(children[i], &status, late ? 0 : WNOHANG) != children[i]) {
        ++i;
        continue;
      }
      children.erase(children.begin() + static_cast<std::ptrdiff_t>(i));
      if (WIFEXITED(status) && WEXITSTATUS(status) == 0) continue;
      if (outcome) {
        outcome = Error(Errc::system_error, WIFSIGNALED(status) ? "one side of a match was killed"
                                                                : "one side of a match failed");
      }
      for (const pid_t child : children) kill(child, SIGKILL);
    }
    if (!children.empty()) usleep(1000);
  }
  return outcome;
}

}  // namespace

Result<std::vector<std::vector<Series>>> play(const Match& match, const Settings& settings) {
  const std::size_t entrants = match.entrants.size();
  const std::size_t per_row = settings.rounds * entrants;
  Arena arena(match.rows.size() * per_row);
  Meeting meeting;
  Player player(match, settings, arena, meeting);
  std::vector<pid_t> children;
  if (match.server) children.push_back(fork_into([&] { return player.server(); }));
  children.push_back(fork_into([&] { return player.client(); }));
  const auto work = (settings.run * settings.rounds + kWarmUp) * entrants * match.rows.size();
  KRG_TRY(watch_over(std::move(children), work * 4 + kGrace));

  std::vector<std::vector<Series>> series(match.rows.size(), std::vector<Series>(entrants));
  const Sample* next = arena.samples();
  for (auto& row : series) {
    for (unsigned round = 0; round < settings.rounds; ++round) {
      for (Series& s : row) {
        s.values.push_back(next->value);
        s.p99.push_back(next->p99);
        ++next;
      }
    }
  }
  return series;
}

}  // namespace krg::harness
