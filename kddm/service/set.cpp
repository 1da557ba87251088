#include "set.h"

#include <utility>

namespace krg::kddm {
namespace {

bool is_blank(const Holder& holder) noexcept {
  return holder.copy == Copy::none && holder.asks == Asks::nothing && !holder.in_use();
}

bool is_blank(const Home& home) noexcept {
  return (home.state == HomeState::away || home.state == HomeState::absent) && !home.noted;
}

}  // namespace

Set::Halves Set::look(ObjectId object, HolderEntry* holder, bool here, bool asked) noexcept {
  Halves at{holder};
  at.at_home =
      asked || (here && (!waiting.empty() || (at.holder != nullptr && at.holder->waiting)));
  if (at.at_home) at.home = homes.find(object);
  return at;
}

Part Set::take(const Halves& at, ObjectId object, const Place& place) {
  Part part = blank_part(place);
  if (at.home != nullptr) part.home = std::move(at.home->home);
  if (at.holder != nullptr) {
    part.holder = at.holder->holder;
    part.waiting = std::move(at.holder->waiting);
  }
  if (waiting.empty() || part.waiting) return part;
  if (const auto more = waiting.find(object); more != waiting.end()) {
    part.waiting = std::move(more->second);
    waiting.erase(more);
  }
  return part;
}

void Set::give(Halves& at, ObjectId object, Part&& part) {
  if (!is_blank(part.holder)) {
    if (at.holder == nullptr) at.holder = &holders.insert(object);
    at.holder->holder = part.holder;
    at.holder->waiting = std::move(part.waiting);
  } else if (at.holder != nullptr) {
    if (at.holder->block || at.holder->slot != kNoSlot) {
      at.holder->holder = part.holder;  // The action that frees the bytes is still to come.
    } else {
      holders.erase(object);
      at.holder = nullptr;
    }
  }
  if (part.waiting) waiting[object] = std::move(part.waiting);
  if (!at.at_home) return;
  if (!is_blank(part.home)) {
    if (at.home == nullptr) at.home = &homes.insert(object);
    at.home->home = std::move(part.home);
  } else if (at.home != nullptr) {
    homes.erase(object);
    at.home = nullptr;
  }
}

void Set::bury() noexcept {
  gone = true;
  holders.clear();
  homes.clear();
  waiting.clear();
  reporters.clear();
  failed_touches.clear();
  written.clear();
}

}  // namespace krg::kddm
