// pmix/name_table.h: the names that ranks publish for other jobs to find; kept by the home node.
//
// Model    a bounded map; a look-up may wait until names appear.
// Threads  owned by the reactor's thread.
// Blocks   never; look_up() suspends.
// Source   MPI standard 4.0, 11.4.4 "Name publishing"; PMIx standard 4.1, chapter 10
#pragma once

#include <map>
#include <string>

#include "krg/reactor/event.h"
#include "messages.h"

namespace krg::pmix {

class NameTable {
 public:
  explicit NameTable(reactor::Reactor& reactor) : changed_(reactor) {}

  // Errors  already_exists, limit_reached, invalid_argument
  Status publish(Published published);
  // Errors  not_found  none of the names is there, or they are another job's.
  Status unpublish(const NameQuestion& question);
  // Errors  not_found, timed_out
  Co<Result<Names>> look_up(NameQuestion question, Deadline deadline);

 private:
  static constexpr std::size_t kNamesMax = 65536;
  static constexpr std::size_t kBytesMax = std::size_t{64} << 20;

  Names find(const NameQuestion& question) const;
  void read(const Names& names);
  static std::size_t size_of(const Published& p) { return p.name.size() + p.value.size(); }

  std::map<std::string, Published> names_;
  std::size_t bytes_ = 0;
  reactor::Event changed_;
};

}  // namespace krg::pmix
