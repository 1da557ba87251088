#include "krg/sync/lock_report.h"

#include <sys/stat.h>

#include <algorithm>
#include <cstring>
#include <string>

#include "lock_reporter.h"

namespace krg::sync {
namespace {

// A process's folder of threads has a link for each of them, and two more.
bool has_one_thread(pid_t pid) {
  struct stat about {};
  const std::string folder = "/proc/" + std::to_string(pid) + "/task";
  return ::stat(folder.c_str(), &about) == 0 && about.st_nlink == 3;
}

LockHolder holder_of(const kddm::LockUse& use) {
  LockHolder holder;
  holder.set = use.set;
  holder.object = use.object;
  holder.pid = use.pid;
  holder.writes = use.kind == kddm::LeaseKind::write;
  holder.alone = has_one_thread(use.pid);
  LockWord word{};
  std::memcpy(&word, use.front.data(), use.front.size());
  if (word.kind != LockKind::mutex && word.kind != LockKind::rw_lock) return holder;
  holder.kind = word.kind;
  // Else of who has locked before.
  if (holder.writes && word.state == LockWord::held) holder.thread = word.thread;
  return holder;
}

std::uint64_t milliseconds(Duration time) {
  return static_cast<std::uint64_t>(std::max<std::int64_t>(time / std::chrono::milliseconds(1), 0));
}

}  // namespace

LockReport::Reply report_locks(const kddm::TaskAccess& access, const kddm::Kddm& kddm,
                               TimePoint now) {
  LockReport::Reply reply;
  for (const kddm::LockUse& use : access.lock_uses()) {
    if (use.wait == 0) {
      reply.holders.push_back(holder_of(use));
    } else {
      reply.waiters.push_back({use.set, use.object, use.pid, use.thread, use.wait,
                               use.kind == kddm::LeaseKind::write, milliseconds(now - use.since)});
    }
    const bool told =
        std::ranges::any_of(reply.sets, [&](const LockSet& set) { return set.set == use.set; });
    const kddm::SetOptions* const options = told ? nullptr : kddm.options_here(use.set);
    if (options != nullptr) reply.sets.push_back({use.set, options->linker_data});
  }
  return reply;
}

}  // namespace krg::sync
