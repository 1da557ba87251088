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

Part Set::take(ObjectId object, const Place& place) {
  Part part = blank_part(place);
  if (HolderEntry* entry = holders.find(object)) part.holder = entry->holder;
  if (HomeEntry* entry = homes.find(object)) part.home = std::move(entry->home);
  if (waiting.empty()) return part;
  if (const auto at = waiting.find(object); at != waiting.end()) {
    part.waiting = std::move(at->second);
    waiting.erase(at);
  }
  return part;
}

void Set::give(ObjectId object, const Place&, Part&& part) {
  HolderEntry* holder = holders.find(object);
  if (!is_blank(part.holder)) {
    (holder != nullptr ? *holder : holders.insert(object)).holder = part.holder;
  } else if (holder != nullptr) {
    if (holder->block) {
      holder->holder = part.holder;  // The action that frees the bytes is still to come.
    } else {
      holders.erase(object);
    }
  }
  HomeEntry* home = homes.find(object);
  if (!is_blank(part.home)) {
    (home != nullptr ? *home : homes.insert(object)).home = std::move(part.home);
  } else if (home != nullptr) {
    homes.erase(object);
  }
  if (part.waiting) waiting[object] = std::move(part.waiting);
}

std::vector<ObjectId> Set::objects() {
  std::vector<ObjectId> all;
  all.reserve(holders.size() + homes.size());
  holders.for_each([&](const HolderEntry& entry) { all.push_back(entry.id); });
  homes.for_each([&](const HomeEntry& entry) {
    if (holders.find(entry.id) == nullptr) all.push_back(entry.id);
  });
  for (const auto& [object, messages] : waiting) {
    if (holders.find(object) == nullptr && homes.find(object) == nullptr) all.push_back(object);
  }
  return all;
}

void Set::bury() noexcept {
  gone = true;
  holders.clear();
  homes.clear();
  waiting.clear();
  reporters.clear();
}

}  // namespace krg::kddm
