// Looking at the lease tables of all tasks.
#pragma once

#include <algorithm>

#include "krg/share/layout.h"

namespace krg::kddm {

// The lease tables of tasks below `tasks`. Numbers in them may be anybody's: at worst too much or
// too little is looked at, within the tables.
class Tables {
 public:
  Tables() = default;
  Tables(LeaseCounts* counts, LeaseTable* tables) noexcept : counts_(counts), tables_(tables) {}

  LeaseCounts& counts(TaskIndex task) const noexcept { return counts_[task.value]; }
  LeaseEntry* entries(TaskIndex task) const noexcept { return tables_[task.value].entries; }

  // Calls found(value) for each entry of `task` that is not empty; stops when it returns true.
  template <class Found>
  bool each(TaskIndex task, Found found) const {
    const std::uint32_t own = counts(task).own_lines.load();
    const std::uint32_t granted = counts(task).grant_lines.load();
    const LeaseEntry* const all = entries(task);
    return each_in(all, std::min(own, LeaseTable::kOwnLines), found) ||
           each_in(all + LeaseTable::kFirstGrant, std::min(granted, LeaseTable::kGrantLines),
                   found);
  }
  bool holds(TaskIndex task, std::uint32_t entry) const noexcept {
    return each(task, [entry](std::uint32_t value) { return value == entry; });
  }
  // Whether any task holds it. Cost: a line for each task, and those it uses.
  bool anybody_holds(std::uint32_t tasks, std::uint32_t entry) const noexcept {
    for (std::uint32_t task = 0; task < tasks; ++task) {
      if (holds(TaskIndex{task}, entry)) return true;
    }
    return false;
  }

 private:
  template <class Found>
  static bool each_in(const LeaseEntry* entries, std::uint32_t lines, Found found) {
    for (std::uint32_t i = 0; i < lines * LeaseTable::kLineEntries; ++i) {
      const std::uint32_t value = entries[i].load();
      if (value != 0 && found(value)) return true;
    }
    return false;
  }

  LeaseCounts* counts_ = nullptr;
  LeaseTable* tables_ = nullptr;
};

}  // namespace krg::kddm
