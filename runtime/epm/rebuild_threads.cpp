#include <linux/sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstring>

#include "rebuild.h"

namespace krg::epm {
namespace {

std::uint64_t word(std::int32_t number) { return static_cast<std::uint64_t>(number); }

// The signal of a siginfo_t is its first field.
std::int32_t signal_of(const SignalInfo& info) {
  std::int32_t signal = 0;
  std::memcpy(&signal, info.data(), sizeof signal);
  return signal;
}

}  // namespace

Status Rebuild::finish() {
  KRG_TRY(make_threads());
  for (std::size_t i = 0; i < tids_.size(); ++i) KRG_TRY(set_thread(i));
  KRG_TRY(limit());
  KRG_TRY_ASSIGN(const std::uint64_t unmapped, call(stub_.pid(), base_, gadget_, SYS_munmap,
                                                    {scratch_->begin(), scratch_->bytes()}));
  if (is_error(unmapped)) return Error(Errc::system_error, "the scratch mapping does not go");
  for (std::size_t i = 0; i < tids_.size(); ++i) {
    const ThreadImage& thread = image_.threads[i];
    Registers last{};
    std::memcpy(&last, thread.registers.data(), sizeof last);
    last.orig_rax = ~0ull;
    KRG_TRY(set_extended(tids_[i], thread.extended));
    KRG_TRY(set_registers(tids_[i], last));
    KRG_TRY(set_blocked(tids_[i], thread.blocked));
  }
  return {};
}

void Rebuild::go() noexcept { let_go(tids_); }

// All in one batch, each by clone3 with the number that it has always had.
Status Rebuild::make_threads() {
  Scratch& scratch = *scratch_;
  tids_ = {stub_.pid()};
  Batch batch;
  constexpr std::uint64_t kFlags =
      CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_SYSVSEM | CLONE_THREAD;
  constexpr std::uint64_t kArgsBytes = 80;  // Up to and with set_tid_size.
  for (std::size_t i = 1; i < image_.threads.size(); ++i) {
    const std::int32_t tid = image_.threads[i].tid;
    KRG_TRY_ASSIGN(const std::uint64_t number, scratch.put(&tid, sizeof tid));
    clone_args args{};
    args.flags = kFlags;
    args.set_tid = number;
    args.set_tid_size = 1;
    KRG_TRY_ASSIGN(const std::uint64_t at, scratch.put(&args, kArgsBytes));
    batch.add(SYS_clone3, {at, kArgsBytes});
  }
  if (faults_fd_) batch.add(SYS_close, {word(*faults_fd_)});
  KRG_TRY(batch.run(stub_.pid(), base_, scratch, &tids_));
  scratch.clear();
  if (batch.first_failed() < batch.size() || tids_.size() != image_.threads.size()) {
    return Error(Errc::system_error, "its threads can not be made");
  }
  for (std::size_t i = 1; i < tids_.size(); ++i) KRG_TRY(await_new(tids_[i]));
  return {};
}

Status Rebuild::set_thread(std::size_t index) {
  const ThreadImage& thread = image_.threads[index];
  Scratch& scratch = *scratch_;
  Registers base = base_;
  base.fs_base = thread.registers[21];
  std::array<char, 16> name{};
  thread.name.copy(name.data(), name.size() - 1);
  KRG_TRY_ASSIGN(const std::uint64_t named, scratch.put(name.data(), name.size()));
  Batch batch;
  batch.add(SYS_prctl, {PR_SET_NAME, named});
  batch.add(SYS_set_tid_address, {thread.clear_tid});
  if (thread.robust_list != 0) {
    batch.add(SYS_set_robust_list, {thread.robust_list, thread.robust_bytes});
  }
  if (thread.rseq[0] != 0) {
    batch.add(SYS_rseq, {thread.rseq[0], thread.rseq[1] & 0xffffffff, 0, thread.rseq[1] >> 32});
  }
  // One that runs on its alternate stack now may not be told that it has one: then it stays as the
  // registers show it.
  KRG_TRY_ASSIGN(const std::uint64_t stack, scratch.put(&thread.altstack, sizeof thread.altstack));
  std::array<std::uint64_t, 3> altstack = thread.altstack;
  altstack[1] &= ~std::uint64_t{SS_ONSTACK};
  KRG_TRY(write_memory(stub_.pid(), stack, altstack.data(), sizeof altstack));
  batch.add(SYS_sigaltstack, {stack, 0});
  for (const SignalInfo& info : thread.pending) {
    KRG_TRY_ASSIGN(const std::uint64_t at, scratch.put(&info, sizeof info));
    batch.add(SYS_rt_tgsigqueueinfo,
              {word(image_.pid), word(thread.tid), word(signal_of(info)), at});
  }
  if (index == 0) {
    for (const SignalInfo& info : image_.pending) {
      KRG_TRY_ASSIGN(const std::uint64_t at, scratch.put(&info, sizeof info));
      batch.add(SYS_rt_sigqueueinfo, {word(image_.pid), word(signal_of(info)), at});
    }
    for (std::uint64_t which = 0; which < Image::kTimers; ++which) {
      const std::uint64_t* const timer = &image_.timers[which * 4];
      if (timer[2] == 0 && timer[3] == 0) continue;
      KRG_TRY_ASSIGN(const std::uint64_t at, scratch.put(timer, 4 * sizeof *timer));
      batch.add(SYS_setitimer, {which, at, 0});
    }
  }
  KRG_TRY(set_blocked(tids_[index], kAllSignals));
  KRG_TRY(batch.run(tids_[index], base, scratch));
  scratch.clear();
  (void)setpriority(PRIO_PROCESS, static_cast<id_t>(tids_[index]), thread.nice);
  if (batch.first_failed() < batch.size()) {
    return Error(Errc::system_error, "a thread's state can not be set");
  }
  return {};
}

// A limit that may not be as high here as it was is as high as it may be.
Status Rebuild::limit() {
  for (std::size_t i = 0; i < Image::kLimits; ++i) {
    const auto which = static_cast<__rlimit_resource>(i);
    rlimit now{};
    if (prlimit(stub_.pid(), which, nullptr, &now) != 0) continue;
    const rlim_t hard = std::min<rlim_t>(image_.limits[2 * i + 1], now.rlim_max);
    const rlimit wanted{std::min<rlim_t>(image_.limits[2 * i], hard), hard};
    if (prlimit(stub_.pid(), which, &wanted, nullptr) != 0) {
      return errno_error(Errc::system_error, "its limits can not be set");
    }
  }
  return {};
}

}  // namespace krg::epm
