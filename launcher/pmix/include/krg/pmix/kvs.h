// pmix/kvs.h: the bounded key-value space of one job on one node.
//
// Model    keys and values are texts. Entries keep the order of their first put, so that old
// clients can
//          walk them by index. A second put of a key replaces its value.
// Threads  owned by one thread.
// Blocks   never. Cost: one hash look-up.
// Source   PMI-1: MPICH src/pmi/simple, "PMI_KVS_*"
#pragma once

#include <cstddef>
#include <deque>
#include <string>
#include <string_view>
#include <unordered_map>

#include "krg/error/result.h"

namespace krg::pmix {

class Kvs {
 public:
  struct Limits {
    std::size_t entries = std::size_t{1} << 20;
    std::size_t bytes = std::size_t{256} << 20;  // Keys and values together.
  };
  struct Entry {
    std::string key, value;
  };

  Kvs() : Kvs(Limits{}) {}
  explicit Kvs(Limits limits) : limits_(limits) {}

  // Errors  invalid_argument  the key is empty.
  //         limit_reached     nothing changed.
  Status put(std::string_view key, std::string_view value);
  // The value, or nullptr; valid until the next put of that key.
  const std::string* get(std::string_view key) const noexcept;
  // The entry with this index, or nullptr past the last one.
  const Entry* at(std::size_t index) const noexcept;
  std::size_t size() const noexcept { return entries_.size(); }

 private:
  Limits limits_;
  std::size_t bytes_ = 0;
  std::deque<Entry> entries_;  // A deque: the index points into the keys.
  std::unordered_map<std::string_view, Entry*> index_;
};

}  // namespace krg::pmix
