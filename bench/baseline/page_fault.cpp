// The least that a remote page fault costs: a thread that reads a userfaultfd, fetches the page by
// a raw UCX active message and maps it. No directory, no protocol, one task.
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <thread>
#include <vector>

#include "krg/baseline/page_rounds.h"
#include "krg/baseline/peers.h"
#include "krg/uffd/uffd.h"
#include "ucx_worker.h"

namespace krg::baseline {
namespace {

using harness::Baton;
using harness::Job;
using harness::Kind;
using harness::Meeting;
using harness::Sample;
using harness::Side;

constexpr unsigned kRequest = 1, kReply = 2;
constexpr std::size_t kPage = kPageBytes, kPages = kMemoryPages, kBatch = 64;

class PageFault final : public harness::Contestant {
 public:
  PageFault(harness::Transport transport, bool warm) : transport_(transport), warm_(warm) {}
  ~PageFault() override {
    stop_ = true;
    if (handler_.joinable()) handler_.join();
  }

  Status open(Side side, Meeting& meeting) override {
    KRG_TRY(ucx_.open(transport_, false));
    KRG_TRY(ucx_.set_handler(kRequest, on_request, this));
    KRG_TRY(ucx_.set_handler(kReply, on_reply, this));
    KRG_TRY_ASSIGN(const auto mine, ucx_.address());
    KRG_TRY(ucx_.connect(meeting.exchange(mine)));
    source_.assign(kPage * kBatch, std::byte{1});
    return side == Side::client ? open_memory() : Status();
  }

  void serve(const Job&, const Baton& baton) override {
    while (baton.held()) ucx_.progress();
    while (pending_ > 0) ucx_.progress();
  }

  Result<Sample> measure(const Job& job) override {
    fetches_ = is_miss(job);
    batch_ = job.kind == Kind::bandwidth ? kBatch : 1;
    const std::size_t pages = job.kind == Kind::bandwidth ? kPages : kRoundPages;
    const auto prepare = [this, pages] { return forget(pages), Status(); };
    active_ = true;
    const auto measured =
        job.kind == Kind::bandwidth
            ? time_stream(job, prepare, [this] { return seen_; })
            : time_faults(job, prepare, [this](std::size_t i) { return seen_ + i * kPage; });
    active_ = false;
    return measured;
  }

 private:
  Status open_memory() {
    memory_ = UniqueFd(::memfd_create("floor", MFD_CLOEXEC));
    if (::ftruncate(memory_.get(), kPage * kPages) != 0) return Error(Errc::no_memory);
    constexpr int kRights = PROT_READ | PROT_WRITE;
    void* const alias = ::mmap(nullptr, kPage * kPages, kRights, MAP_SHARED, memory_.get(), 0);
    void* const seen = ::mmap(nullptr, kPage * kPages, kRights, MAP_SHARED, memory_.get(), 0);
    if (alias == MAP_FAILED || seen == MAP_FAILED) return Error(Errc::no_memory);
    alias_ = static_cast<std::byte*>(alias);
    seen_ = static_cast<std::byte*>(seen);
    if (warm_) std::memset(alias_, 1, kPage * kPages);
    KRG_TRY_ASSIGN(uffd_, Uffd::open());
    KRG_TRY(uffd_.watch(reinterpret_cast<std::uintptr_t>(seen_), kPage * kPages));
    handler_ = std::thread([this] { handle(); });
    return {};
  }

  // The pages are gone, or, for what needs no fetch, in the memory but not mapped.
  void forget(std::size_t pages) {
    if (warm_) {
      ::madvise(seen_, kPage * pages, MADV_DONTNEED);
    } else {
      ::fallocate(memory_.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, kPage * pages);
    }
    if (fetches_) return;
    for (std::size_t i = 0; i < pages; ++i) alias_[i * kPage] = std::byte{1};
  }

  void handle() {
    std::vector<Uffd::Fault> faults(1);
    while (!stop_) {
      if (!active_) {  // The core is the other contestant's.
        std::this_thread::sleep_for(std::chrono::milliseconds(2));
        continue;
      }
      if (uffd_.read(faults) == 0) {
        std::this_thread::yield();
        continue;
      }
      const auto base = reinterpret_cast<std::uintptr_t>(seen_);
      const std::size_t page = (faults[0].address - base) / kPage / batch_ * batch_;
      const std::uintptr_t at = base + page * kPage;
      if (faults[0].mapped) {
        static_cast<void>(uffd_.permit(at, kPage));
        continue;
      }
      if (fetches_) fetch(page);
      static_cast<void>(uffd_.map(at, batch_ * kPage, faults[0].write));
    }
  }

  void fetch(std::size_t page) {
    place_ = alias_ + page * kPage;
    const std::uint64_t bytes = batch_ * kPage;
    const std::uint64_t goal = replies_ + 1;
    send(kRequest, &bytes, sizeof bytes);
    while (replies_ < goal && !stop_) ucx_.progress();
  }

  void send(unsigned id, const void* data, std::size_t size) {
    ucp_request_param_t param{};
    param.op_attr_mask =
        UCP_OP_ATTR_FIELD_CALLBACK | UCP_OP_ATTR_FIELD_USER_DATA | UCP_OP_ATTR_FIELD_FLAGS;
    param.flags = UCP_AM_SEND_FLAG_EAGER;
    param.cb.send = on_sent;
    param.user_data = this;
    if (ucp_am_send_nbx(ucx_.endpoint(), id, nullptr, 0, data, size, &param) != nullptr) ++pending_;
  }
  static void on_sent(void* request, ucs_status_t, void* self) {
    --static_cast<PageFault*>(self)->pending_;
    ucp_request_free(request);
  }
  static ucs_status_t on_request(void* self, const void*, std::size_t, void* data, std::size_t,
                                 const ucp_am_recv_param_t*) {
    auto& me = *static_cast<PageFault*>(self);
    std::uint64_t bytes = 0;
    std::memcpy(&bytes, data, sizeof bytes);
    me.send(kReply, me.source_.data(), bytes);
    return UCS_OK;
  }
  static ucs_status_t on_reply(void* self, const void*, std::size_t, void* data, std::size_t size,
                               const ucp_am_recv_param_t*) {
    auto& me = *static_cast<PageFault*>(self);
    std::memcpy(me.place_, data, size);
    ++me.replies_;
    return UCS_OK;
  }

  const harness::Transport transport_;
  const bool warm_;
  UcxWorker ucx_;
  std::vector<std::byte> source_;
  UniqueFd memory_;
  std::byte* alias_ = nullptr;
  std::byte* seen_ = nullptr;
  Uffd uffd_;
  std::atomic<bool> fetches_{true}, active_{false}, stop_{false};
  std::atomic<std::size_t> batch_{1};
  std::byte* place_ = nullptr;
  std::uint64_t replies_ = 0, pending_ = 0;
  std::thread handler_;
};

class MappedMemory final : public harness::Contestant {
 public:
  Status open(Side side, Meeting&) override {
    if (side == Side::server) return {};
    constexpr int kHow = MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE;
    void* const at = ::mmap(nullptr, kPage * kPages, PROT_READ | PROT_WRITE, kHow, -1, 0);
    if (at == MAP_FAILED) return errno_error(Errc::no_memory, "mmap");
    std::memset(at, 1, kPage * kPages);
    memory_ = static_cast<std::byte*>(at);
    return {};
  }
  Result<Sample> measure(const Job& job) override {
    return time_stream(
        job, [] { return Status(); }, [this] { return memory_; });
  }

 private:
  std::byte* memory_ = nullptr;
};

}  // namespace

std::unique_ptr<harness::Contestant> page_fault(harness::Transport transport, bool warm) {
  return std::make_unique<PageFault>(transport, warm);
}

std::unique_ptr<harness::Contestant> mapped_memory() { return std::make_unique<MappedMemory>(); }

}  // namespace krg::baseline
