// krgadm locks: who holds which locks and who waits for them; and who waits in a circle.
#include <fmt/format.h>

#include "commands.h"
#include "krg/cli/exit.h"
#include "krg/cli/table.h"
#include "krg/jobs/client.h"
#include "krg/sync/lock_graph.h"

namespace krg::krgadm {
namespace {

std::int64_t number(std::uint64_t value) { return static_cast<std::int64_t>(value); }

cli::Cell kind_of(const sync::LockUsers& lock) {
  if (lock.kind == sync::LockKind::mutex) return "mutex";
  if (lock.kind == sync::LockKind::rw_lock) return "rw_lock";
  return {};
}

cli::Cell thread_of(const sync::LockThread& who) {
  if (who.thread == 0) return {};
  return std::int64_t{who.thread};
}

// A line for each who holds or waits, the holders first.
cli::Table users_of(const std::vector<sync::LockUsers>& locks) {
  cli::Table table({"set", "lock", "kind", "does", "node", "pid", "thread", "waited ms"});
  for (const sync::LockUsers& lock : locks) {
    const auto add = [&](const sync::LockThread& who, const char* does, cli::Cell waited) {
      table.add({lock.name, number(lock.object.value), kind_of(lock), std::string(does),
                 number(who.node.value), std::int64_t{who.pid}, thread_of(who), std::move(waited)});
    };
    for (const auto& holder : lock.holders) add(holder.who, holder.writes ? "has" : "reads", {});
    for (const auto& waiter : lock.waiters) {
      add(waiter.who, waiter.writes ? "waits" : "waits to read", number(waiter.waited_ms));
    }
  }
  return table;
}

std::string task_of(const sync::LockThread& who) {
  const std::string task = fmt::format("task {} of node {}", who.pid, who.node.value);
  return who.thread == who.pid ? task : fmt::format("thread {} of {}", who.thread, task);
}

std::string lines_of(const std::vector<sync::LockUsers>& locks,
                     const std::vector<sync::LockCycle>& cycles) {
  if (cycles.empty()) return "no task waits in a circle\n";
  std::string text;
  for (const sync::LockCycle& cycle : cycles) {
    for (const sync::LockCycle::Step& step : cycle.steps) {
      const sync::LockUsers& lock = locks[step.lock];
      text += fmt::format("{} -> {}[{}] -> ", task_of(step.who), lock.name, lock.object.value);
    }
    text += task_of(cycle.steps.front().who) + "\n";
  }
  return text;
}

cli::Table steps_of(const std::vector<sync::LockUsers>& locks,
                    const std::vector<sync::LockCycle>& cycles) {
  cli::Table table({"cycle", "node", "pid", "thread", "set", "lock", "waited ms"});
  for (std::size_t i = 0; i < cycles.size(); ++i) {
    for (const sync::LockCycle::Step& step : cycles[i].steps) {
      const sync::LockUsers& lock = locks[step.lock];
      table.add({number(i), number(step.who.node.value), std::int64_t{step.who.pid},
                 thread_of(step.who), lock.name, number(lock.object.value),
                 number(step.waited_ms)});
    }
  }
  return table;
}

// Asks all nodes. Errors  those of ask(), with a complaint
Result<std::vector<sync::LockUsers>> ask_all(const Target& target) {
  std::string complaint;
  const auto all = ask<jobs::AllLocks>(target, jobs::AskLocks{}, complaint);
  if (all) return sync::merge(all->nodes);
  cli::refuse("krgadm", complaint);
  return all.error();
}

int show_cycles(const Target& target, const std::vector<sync::LockUsers>& before, bool json) {
  // Those that were told in one round may never have been at one time.
  auto locks = ask_all(target);
  if (!locks) return cli::kFailed;
  sync::keep_lasting(*locks, before);
  const std::vector<sync::LockCycle> cycles = sync::find_cycles(*locks);
  const int printed = cli::print(json ? steps_of(*locks, cycles).json() : lines_of(*locks, cycles));
  return cycles.empty() ? printed : cli::kFailed;
}

}  // namespace

int show_locks(const cli::Arguments& args, const Target& target) {
  const auto locks = ask_all(target);
  if (!locks) return cli::kFailed;
  const bool json = args.has("--json");
  if (args.has("--cycles")) return show_cycles(target, *locks, json);
  const cli::Table table = users_of(*locks);
  return cli::print(json ? table.json() : table.text());
}

}  // namespace krg::krgadm
