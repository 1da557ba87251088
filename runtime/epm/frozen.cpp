#include "frozen.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstring>

#include "krg/base/descriptors.h"

namespace krg::epm {
namespace {

constexpr std::uint64_t kScratchBytes = 1 << 20;

}  // namespace

Frozen::~Frozen() { resume(); }

Status Frozen::freeze() {
  KRG_TRY_ASSIGN(tids_, hold_all(pid_));
  held_ = true;
  return {};
}

Status Frozen::capture(const Known& known) {
  Known held = known;
  held.held = true;
  Survey seen = survey(pid_, held);
  if (!seen.problems.empty()) {
    problems_ = std::move(seen.problems);
    return Error(Errc::denied, "the process has what can not be moved");
  }
  image_ = std::move(seen.image);
  KRG_TRY_ASSIGN(pages_, Pages::open(pid_));
  KRG_TRY(read_layout());
  KRG_TRY(find_gadget());
  KRG_TRY(read_threads());
  KRG_TRY(read_pipes());
  // Before the scratch mapping comes: it is none of the image's.
  KRG_TRY(pages_->scan(image_.mappings));
  for (const pid_t tid : tids_) KRG_TRY(set_blocked(tid, kAllSignals));
  KRG_TRY_ASSIGN(scratch_, Scratch::map(pid_, registers_[0], gadget_, 0, kScratchBytes));
  KRG_TRY(read_inside());
  for (std::size_t i = 0; i < tids_.size(); ++i) KRG_TRY(read_inside_thread(i));
  return {};
}

// The `syscall` instruction of the vDSO, which survives whatever is unmapped.
Status Frozen::find_gadget() {
  for (const MappingImage& mapping : image_.mappings) {
    if (mapping.path != "[vdso]") continue;
    std::vector<unsigned char> code(mapping.end - mapping.begin);
    KRG_TRY(read_memory(pid_, mapping.begin, code.data(), code.size()));
    constexpr unsigned char kSyscall[] = {0x0f, 0x05};
    const auto at = std::search(code.begin(), code.end(), std::begin(kSyscall), std::end(kSyscall));
    if (at == code.end()) break;
    gadget_ = mapping.begin + static_cast<std::uint64_t>(at - code.begin());
    return {};
  }
  return Error(Errc::not_supported, "the vDSO has no system call");
}

// What the process would answer to brk, getitimer and rt_sigaction.
Status Frozen::read_inside() {
  Scratch& scratch = *scratch_;
  Batch batch;
  constexpr std::uint64_t kActionBytes = 32, kTimerBytes = sizeof(itimerval);
  KRG_TRY_ASSIGN(const std::uint64_t actions, scratch.room(64 * kActionBytes));
  KRG_TRY_ASSIGN(const std::uint64_t timers, scratch.room(Image::kTimers * kTimerBytes));
  const std::size_t top = batch.add(SYS_brk, {0});
  for (std::uint64_t signal = 1; signal <= 64; ++signal) {
    batch.add(SYS_rt_sigaction, {signal, 0, actions + (signal - 1) * kActionBytes, 8});
  }
  // Read and stopped in one: a timer that ends meanwhile would be in the image twice, or not at
  // all.
  const itimerval none{};
  KRG_TRY_ASSIGN(const std::uint64_t stopped, scratch.put(&none, sizeof none));
  for (std::uint64_t which = 0; which < Image::kTimers; ++which) {
    batch.add(SYS_setitimer, {which, stopped, timers + which * kTimerBytes});
  }
  KRG_TRY(batch.run(pid_, registers_[0], scratch));
  timers_stopped_ = true;
  image_.layout[5] = batch.result(top);
  std::array<std::array<std::uint64_t, 4>, 64> all{};
  KRG_TRY(read_memory(pid_, actions, all.data(), sizeof all));
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (all[i][0] == 0 && all[i][1] == 0) continue;  // SIG_DFL, without flags.
    image_.actions.push_back({static_cast<std::int32_t>(i + 1), all[i]});
  }
  static_assert(sizeof(Image::timers) == Image::kTimers * kTimerBytes);
  KRG_TRY(read_memory(pid_, timers, image_.timers.data(), sizeof image_.timers));
  for (std::size_t i = 0; i < image_.timers.size(); i += 4) {
    std::uint64_t* const timer = &image_.timers[i];
    // One whose signal is pending begins its next round when that is taken; it has to be told now.
    if (timer[2] == 0 && timer[3] == 0) std::copy(timer, timer + 2, timer + 2);
  }
  image_.pending = pending_signals(pid_, true);
  scratch.clear();
  return {};
}

// As they were, but for the time that has passed meanwhile.
Status Frozen::start_timers() {
  timers_stopped_ = false;
  Batch batch;
  KRG_TRY_ASSIGN(const std::uint64_t at, scratch_->put(image_.timers.data(), sizeof image_.timers));
  for (std::uint64_t which = 0; which < Image::kTimers; ++which) {
    batch.add(SYS_setitimer, {which, at + which * sizeof(itimerval), 0});
  }
  return batch.run(pid_, registers_[0], *scratch_);
}

Status Frozen::read_inside_thread(std::size_t index) {
  Scratch& scratch = *scratch_;
  ThreadImage& thread = image_.threads[index];
  Batch batch;
  KRG_TRY_ASSIGN(const std::uint64_t clear, scratch.room(8));
  KRG_TRY_ASSIGN(const std::uint64_t stack, scratch.room(sizeof thread.altstack));
  batch.add(SYS_prctl, {PR_GET_TID_ADDRESS, clear});
  batch.add(SYS_sigaltstack, {0, stack});
  KRG_TRY(batch.run(tids_[index], registers_[index], scratch));
  KRG_TRY(read_memory(pid_, clear, &thread.clear_tid, 8));
  KRG_TRY(read_memory(pid_, stack, thread.altstack.data(), sizeof thread.altstack));
  scratch.clear();
  return {};
}

UniqueFd Frozen::take_fd(int fd) const {
  const UniqueFd process = open_process(pid_);
  UniqueFd taken(static_cast<int>(syscall(SYS_pidfd_getfd, process.get(), fd, 0)));
  return taken;
}

// What stands in a pipe of the process with itself, which stays in it.
Status Frozen::read_pipes() {
  constexpr std::size_t kPipeMax = 1 << 20;
  for (FileImage& file : image_.files) {
    if (file.kind != FileImage::Kind::pipe_read) continue;
    const UniqueFd pipe = take_fd(file.fd);
    const int capacity = fcntl(pipe.get(), F_GETPIPE_SZ);
    int ends[2];
    if (!pipe || capacity < 0 || pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) {
      return errno_error(Errc::system_error, "reading a pipe");
    }
    const UniqueFd out(ends[0]), in(ends[1]);
    file.value = static_cast<std::uint64_t>(capacity);
    if (fcntl(in.get(), F_SETPIPE_SZ, capacity) < 0) {
      return errno_error(Errc::system_error, "reading a pipe");
    }
    const ssize_t seen = tee(pipe.get(), in.get(), kPipeMax, SPLICE_F_NONBLOCK);
    file.content.resize(seen > 0 ? static_cast<std::size_t>(seen) : 0);
    std::size_t have = 0;
    while (have < file.content.size()) {
      const ssize_t n = read(out.get(), file.content.data() + have, file.content.size() - have);
      if (n <= 0) return errno_error(Errc::system_error, "reading a pipe");
      have += static_cast<std::size_t>(n);
    }
  }
  return {};
}

void Frozen::forget_scratch() noexcept {
  if (!scratch_) return;
  (void)call(pid_, registers_[0], gadget_, SYS_munmap, {scratch_->begin(), scratch_->bytes()});
  scratch_.reset();
}

void Frozen::resume() noexcept {
  if (!held_) return;
  held_ = false;
  if (scratch_ && timers_stopped_) (void)start_timers();
  forget_scratch();
  for (std::size_t i = 0; i < tids_.size(); ++i) {
    if (i < registers_.size()) (void)set_registers(tids_[i], registers_[i]);
    if (i < blocked_.size()) (void)set_blocked(tids_[i], blocked_[i]);
  }
  let_go(tids_);
}

// The other threads end one by one; what they would tell the process's memory is nobody's affair.
Status Frozen::end_other_threads() {
  for (std::size_t i = 1; i < tids_.size(); ++i) {
    Registers last = registers_[i];
    last.rip = gadget_;
    last.rax = SYS_exit;
    last.rdi = 0;
    last.orig_rax = ~0ull;
    KRG_TRY(set_registers(tids_[i], last));
    KRG_TRY(cont(tids_[i]));
    const Result<int> ended = wait_stop(tids_[i]);
    if (ended || ended.error() != Errc::peer_down) {
      return Error(Errc::system_error, "a thread of the emptied process does not end");
    }
  }
  tids_.resize(1);
  return {};
}

Status Frozen::empty() {
  Batch batch;
  Scratch& scratch = *scratch_;
  const std::array<std::uint64_t, 4> zero{};
  KRG_TRY_ASSIGN(const std::uint64_t nothing, scratch.put(zero.data(), sizeof zero));
  for (const ActionImage& action : image_.actions) {
    batch.add(SYS_rt_sigaction, {static_cast<std::uint64_t>(action.signal), nothing, 0, 8});
  }
  // It must leave no core file that is not the task's.
  batch.add(SYS_prlimit64, {0, RLIMIT_CORE, nothing, 0});
  batch.add(SYS_close_range, {0, ~0u, 0});
  batch.add(SYS_set_robust_list, {0, 24});
  batch.add(SYS_set_tid_address, {0});
  const ThreadImage& leader = image_.threads[0];
  if (leader.rseq[0] != 0) {
    batch.add(SYS_rseq, {leader.rseq[0], leader.rseq[1] & 0xffffffff, 1, leader.rseq[1] >> 32});
  }
  for (const MappingImage& mapping : image_.mappings) {
    if (mapping.kind == MappingImage::Kind::kernel) continue;
    batch.add(SYS_munmap, {mapping.begin, mapping.end - mapping.begin});
  }
  // What was pending has gone with the image.
  constexpr std::size_t kSetBytes = 8;
  KRG_TRY_ASSIGN(const std::uint64_t every, scratch.put(&kAllSignals, kSetBytes));
  for (std::size_t i = 0; i < leader.pending.size() + image_.pending.size(); ++i) {
    batch.add(SYS_rt_sigtimedwait, {every, 0, nothing, kSetBytes});
  }
  KRG_TRY(end_other_threads());
  KRG_TRY(batch.run(pid_, registers_[0], scratch));
  pages_.reset();
  forget_scratch();
  held_ = false;  // From now on the husk's owner has it.
  return {};
}

}  // namespace krg::epm
