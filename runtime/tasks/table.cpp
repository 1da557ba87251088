#include "krg/tasks/table.h"

#include <algorithm>
#include <set>

namespace krg::tasks {
namespace {

// Further from its rank than any process is.
constexpr int kGenerationsMax = 1024;
constexpr Error kNoTask(Errc::not_found, "it is no task of a job");

std::size_t index_of(Capability what) noexcept { return static_cast<std::size_t>(what); }

}  // namespace

Processes::~Processes() = default;

// What was there at one moment.
class Snapshot final : public Processes {
 public:
  explicit Snapshot(const std::vector<proc::Process>& all) {
    for (const proc::Process& process : all) by_pid_.emplace(process.pid, &process);
  }
  std::optional<proc::Process> find(pid_t pid) const override {
    const auto at = by_pid_.find(pid);
    if (at == by_pid_.end()) return std::nullopt;
    return *at->second;
  }
  std::vector<proc::Process> all() const override { return {}; }

 private:
  std::unordered_map<pid_t, const proc::Process*> by_pid_;
};

void Table::begin(pid_t pid, const Sets& sets) {
  const auto process = processes_.find(pid);
  if (!process) return;  // It has ended already.
  prune();
  Record record;
  record.start = process->start;
  record.sets = sets;
  records_.insert_or_assign(pid, record);
}

Table::Record* Table::known(pid_t pid) noexcept {
  const auto at = records_.find(pid);
  return at == records_.end() ? nullptr : &at->second;
}

Table::Record* Table::record_of(const proc::Process& process, const Processes& among,
                                int generations) {
  Record* const own = known(process.pid);
  if (own != nullptr && own->start == process.start) return own;
  const Record* from = nullptr;
  if (process.parent == reaper_) {
    // While a session has members, no other process has its number.
    if (process.session != process.pid) from = known(process.session);
  } else if (generations > 0) {
    const auto parent = among.find(process.parent);
    if (parent) from = record_of(*parent, among, generations - 1);
  }
  if (from == nullptr) return nullptr;
  Record child;
  child.start = process.start;
  child.sets = capability::forked(from->sets);
  return &records_.insert_or_assign(process.pid, child).first->second;
}

Table::Record* Table::look(pid_t pid) {
  const auto process = processes_.find(pid);
  return process ? record_of(*process, processes_, kGenerationsMax) : nullptr;
}

std::optional<proc::Process> Table::find(pid_t pid) {
  auto process = processes_.find(pid);
  if (process && record_of(*process, processes_, kGenerationsMax) == nullptr) process.reset();
  return process;
}

std::vector<proc::Process> Table::all() {
  prune();
  const std::vector<proc::Process> all = processes_.all();
  const Snapshot snapshot(all);
  std::vector<proc::Process> tasks;
  for (const proc::Process& process : all) {
    if (record_of(process, snapshot, kGenerationsMax) != nullptr) tasks.push_back(process);
  }
  return tasks;
}

Result<Sets> Table::sets_of(pid_t pid) {
  const Record* const record = look(pid);
  if (record == nullptr) return kNoTask;
  return record->sets;
}

Result<Sets> Table::change(pid_t pid, const Sets& wanted) {
  // Its children have what they got from it as it was.
  static_cast<void>(all());
  Record* const record = look(pid);
  if (record == nullptr) return kNoTask;
  Set in_use;
  for (std::size_t i = 0; i < capability::kCapabilities; ++i) {
    if (record->held[i] > 0) in_use = in_use.with(static_cast<Capability>(i));
  }
  KRG_TRY_ASSIGN(const Sets changed, capability::change(record->sets, wanted, in_use));
  record->sets = changed;
  return changed;
}

bool Table::can_use(pid_t pid, Capability what) {
  const Record* const record = look(pid);
  return record != nullptr && record->sets.effective.has(what) &&
         record->disabled[index_of(what)] == 0;
}

Status Table::hold(pid_t pid, Capability what) {
  Record* const record = look(pid);
  if (record == nullptr) return kNoTask;
  if (!can_use(pid, what)) return Error(Errc::denied, "the task lacks the capability");
  ++record->held[index_of(what)];
  return {};
}

void Table::release(pid_t pid, Capability what) noexcept {
  // It may have ended meanwhile, and another process may have its number.
  Record* const record = known(pid);
  if (record != nullptr && record->held[index_of(what)] > 0) --record->held[index_of(what)];
}

Status Table::disable(pid_t pid, Capability what) {
  Record* const record = look(pid);
  if (record == nullptr) return kNoTask;
  ++record->disabled[index_of(what)];
  return {};
}

void Table::enable(pid_t pid, Capability what) noexcept {
  Record* const record = known(pid);
  if (record != nullptr && record->disabled[index_of(what)] > 0) {
    --record->disabled[index_of(what)];
  }
}

// Forgets who has ended, but a rank whose session has members: they may become orphans.
void Table::prune() {
  if (records_.size() < prune_at_) return;
  std::unordered_map<pid_t, std::uint64_t> alive;
  std::set<pid_t> sessions;
  for (const proc::Process& process : processes_.all()) {
    alive.emplace(process.pid, process.start);
    sessions.insert(process.session);
  }
  std::erase_if(records_, [&](const auto& entry) {
    const auto at = alive.find(entry.first);
    const bool lives = at != alive.end() && at->second == entry.second.start;
    return !lives && !sessions.contains(entry.first);
  });
  prune_at_ = std::max<std::size_t>(256, 2 * records_.size());
}

}  // namespace krg::tasks
