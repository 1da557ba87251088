// Faults to plant in the protocol from outside: they change what a step is given or what it made.
// A checker that misses one is no checker.
#pragma once

#include <functional>
#include <string_view>
#include <vector>

#include "krg/kddm_protocol/home.h"
#include "krg/kddm_protocol/node.h"

namespace krg::kddm_protocol::testing {

// One step, before and after; `message` is `done` from nobody for a local operation.
struct Taken {
  const Message& message;
  const Place& place;
  const Entry& entry_before;
  const Copy& copy_before;
  Entry& entry;
  Copy& copy;
  Outbox& out;
};

struct Mutant {
  std::string_view name;
  std::function<void(Message&, const Place&)> message = nullptr;
  std::function<void(const Taken&)> effect = nullptr;
  std::function<void(Entry&, Copy&, Outbox&)> view = nullptr;
};

const std::vector<Mutant>& mutants();

}  // namespace krg::kddm_protocol::testing
