#include "mm_contestant.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <optional>
#include <string>
#include <utility>

#include "krg/base/unique_fd.h"
#include "krg/baseline/page_rounds.h"
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

constexpr std::size_t kPage = baseline::kPageBytes, kPages = baseline::kMemoryPages;

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
    const auto prepare = [&] { return this->prepare(job); };
    if (job.kind == Kind::bandwidth) {
      return baseline::time_stream(job, prepare, [this] { return region_->data(); });
    }
    return baseline::time_faults(job, prepare, [this](std::size_t i) { return page(i); });
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

  // The pages of a round are the server's, or the node has them and nothing is mapped.
  Status prepare(const Job& job) {
    const bool all = job.kind == Kind::bandwidth;
    const std::size_t pages = all ? kPages : baseline::kRoundPages;
    if (baseline::is_miss(job)) {
      have_written(static_cast<std::uint32_t>(pages));
      return {};
    }
    touch(pages);
    return attach();
  }

  const harness::Settings settings_;
  const std::string folder_;
  MmKrgd krgd_;
  RegionOptions options_;
  UniqueFd memory_;
  Control* control_ = nullptr;
  std::optional<Region> region_;
};

}  // namespace

std::unique_ptr<harness::Contestant> mm_contestant(const harness::Settings& settings,
                                                   std::string folder) {
  return std::make_unique<MmContestant>(settings, std::move(folder));
}

}  // namespace krg::bench
