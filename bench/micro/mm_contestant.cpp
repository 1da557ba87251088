#include "mm_contestant.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <numeric>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "krg/base/unique_fd.h"
#include "krg/reactor/clock.h"
#include "krg/region/region.h"
#include "krg/shm/futex.h"
#include "mm_krgd.h"

namespace krg::bench {
namespace {

using harness::Baton;
using harness::Job;
using harness::Kind;
using harness::Meeting;
using harness::Sample;
using harness::Side;
using Clock = std::chrono::steady_clock;

constexpr std::size_t kPage = 4096, kPages = 4096, kRound = 256;

// What the client asks of the server's task: to write the first so many pages.
struct Control {
  shm::FutexWord asked{0};
  shm::FutexWord done{0};
  std::atomic<std::uint32_t> pages{0};
};

class MmContestant final : public harness::Contestant {
 public:
  MmContestant(const harness::Settings& settings, std::string folder)
      : settings_(settings), folder_(std::move(folder)) {}

  Status open(Side side, Meeting& meeting) override {
    KRG_TRY(krgd_.start(settings_, folder_, side, meeting));
    options_.gate = krgd_.gate();
    KRG_TRY(share_control(side, meeting));
    if (side == Side::client) KRG_TRY(Region::create("bench", kPage * kPages, 0, krgd_.gate()));
    meeting.barrier();
    KRG_TRY(attach());
    meeting.barrier();
    return {};
  }

  void serve(const Job&, const Baton& baton) override {
    while (baton.held()) {
      const std::uint32_t asked = control_->asked.load();
      if (asked == control_->done.load()) {
        const TimePoint soon = shm::monotonic_now() + std::chrono::milliseconds(5);
        shm::futex_wait(control_->asked, asked, Deadline(soon));
        continue;
      }
      touch(control_->pages.load());
      control_->done.store(asked);
      shm::futex_wake(control_->done, 1);
    }
  }

  Result<Sample> measure(const Job& job) override {
    return job.kind == Kind::bandwidth ? stream(job) : faults(job);
  }

 private:
  Status share_control(Side side, Meeting& meeting) {
    if (side == Side::client) {
      memory_ = UniqueFd(::memfd_create("bench", MFD_CLOEXEC));
      if (::ftruncate(memory_.get(), kPage) != 0) return Error(Errc::no_memory);
    }
    const std::string path =
        "/proc/" + std::to_string(::getpid()) + "/fd/" + std::to_string(memory_.get());
    const std::string theirs = meeting.exchange(path);
    if (side == Side::server) memory_ = UniqueFd(::open(theirs.c_str(), O_RDWR | O_CLOEXEC));
    void* const at = ::mmap(nullptr, kPage, PROT_READ | PROT_WRITE, MAP_SHARED, memory_.get(), 0);
    if (at == MAP_FAILED) return errno_error(Errc::no_memory, "mmap");
    control_ = side == Side::client ? new (at) Control : static_cast<Control*>(at);
    meeting.barrier();
    return {};
  }

  Status attach() {
    region_.reset();
    KRG_TRY_ASSIGN(Region region, Region::attach("bench", options_));
    region_.emplace(std::move(region));
    return {};
  }
  volatile std::byte* page(std::size_t i) const noexcept { return region_->data() + i * kPage; }
  void touch(std::size_t pages) const noexcept {
    for (std::size_t i = 0; i < pages; ++i) *page(i) = std::byte{1};
  }
  // The server's node alone has them then.
  void have_written(std::uint32_t pages) {
    control_->pages.store(pages);
    const std::uint32_t wanted = control_->asked.load() + 1;
    control_->asked.store(wanted);
    shm::futex_wake(control_->asked, 1);
    for (std::uint32_t done = control_->done.load(); done != wanted; done = control_->done.load()) {
      const TimePoint soon = shm::monotonic_now() + std::chrono::milliseconds(5);
      shm::futex_wait(control_->done, done, Deadline(soon));
    }
  }

  Result<Sample> faults(const Job& job) {
    harness::Latencies latencies;
    std::vector<std::size_t> order(kRound);
    std::iota(order.begin(), order.end(), 0);
    std::mt19937 random(1);
    const double us = 1e-3 / reactor::ticks_per_ns();
    const auto end = Clock::now() + job.length;
    while (Clock::now() < end) {
      if (job.detail < 2) {
        have_written(kRound);
      } else {
        touch(kRound);
        KRG_TRY(attach());  // The node has them, and nothing is mapped.
      }
      std::shuffle(order.begin(), order.end(), random);
      for (const std::size_t i : order) {
        volatile std::byte* const at = page(i);
        if (job.detail == 3) static_cast<void>(*at);
        const std::uint64_t from = reactor::ticks();
        if (job.detail == 1 || job.detail == 3) {
          *at = std::byte{2};
        } else {
          static_cast<void>(*at);
        }
        latencies.add(static_cast<double>(reactor::ticks() - from) * us);
      }
    }
    return latencies.summary();
  }

  Result<Sample> stream(const Job& job) {
    std::uint64_t bytes = 0, sum = 0;
    std::chrono::duration<double> took{0};
    const auto begin = Clock::now();
    while (Clock::now() - begin < job.length) {
      have_written(kPages);
      const auto from = Clock::now();
      const auto* const words = reinterpret_cast<const volatile std::uint64_t*>(region_->data());
      for (std::size_t i = 0; i < kPage * kPages / 8; ++i) sum += words[i];
      took += Clock::now() - from;
      bytes += kPage * kPages;
    }
    sum_ = sum;
    return Sample{static_cast<double>(bytes) / took.count() * 1e-6, 0};
  }

  const harness::Settings settings_;
  const std::string folder_;
  MmKrgd krgd_;
  RegionOptions options_;
  UniqueFd memory_;
  Control* control_ = nullptr;
  std::optional<Region> region_;
  volatile std::uint64_t sum_ = 0;
};

}  // namespace

std::unique_ptr<harness::Contestant> mm_contestant(const harness::Settings& settings,
                                                   std::string folder) {
  return std::make_unique<MmContestant>(settings, std::move(folder));
}

}  // namespace krg::bench
