#include "krg/stats/registry.h"

#include <variant>

#include "krg/log/log.h"

namespace krg::stats {

struct Registry::Slot {
  // Each is as big as it is: a histogram has room of its own. A counter of a group is the group's.
  std::variant<std::unique_ptr<Counter>, std::unique_ptr<Gauge>, std::unique_ptr<Histogram>,
               Counter*>
      object;
  std::string unit;

  Counter* find(std::in_place_type_t<Counter>) const noexcept {
    if (const auto* const grouped = std::get_if<Counter*>(&object)) return *grouped;
    return own<Counter>();
  }
  Gauge* find(std::in_place_type_t<Gauge>) const noexcept { return own<Gauge>(); }
  Histogram* find(std::in_place_type_t<Histogram>) const noexcept { return own<Histogram>(); }

 private:
  template <class T>
  T* own() const noexcept {
    const auto* const owned = std::get_if<std::unique_ptr<T>>(&object);
    return owned == nullptr ? nullptr : owned->get();
  }
};

// What is counted but not listed: many writers may share one, whose value nobody reads.
struct Registry::Unlisted {
  Counter counter;
  Gauge gauge;
  Histogram histogram;

  Counter& get(std::in_place_type_t<Counter>) noexcept { return counter; }
  Gauge& get(std::in_place_type_t<Gauge>) noexcept { return gauge; }
  Histogram& get(std::in_place_type_t<Histogram>) noexcept { return histogram; }
};

Registry::Registry() : slots_(std::make_unique<Slots>()), unlisted_(std::make_unique<Unlisted>()) {}
Registry::~Registry() = default;

void Registry::complain(std::string_view name, bool full) {
  if (std::exchange(complained_, true)) return;
  KRG_WARN("stats: {} is not listed: {}", name,
           full ? "the registry is full" : "its name is taken");
}

template <class T>
T& Registry::get(std::string_view name, std::string_view unit) {
  const std::lock_guard lock(mutex_);
  auto found = slots_->find(name);
  if (found == slots_->end() && slots_->size() < kItemsMax) {
    found =
        slots_->emplace(std::string(name), Slot{std::make_unique<T>(), std::string(unit)}).first;
  }
  if (found != slots_->end()) {
    if (T* object = found->second.find(std::in_place_type<T>)) return *object;
  }
  complain(name, found == slots_->end());
  return unlisted_->get(std::in_place_type<T>);
}

Counter* Registry::counters(std::string_view prefix, std::span<const CounterName> names) {
  const std::lock_guard lock(mutex_);
  Counter* const group = groups_.emplace_back(new Counter[names.size()]).get();
  for (std::size_t i = 0; i < names.size(); ++i) {
    std::string name = std::string(prefix) + "." + std::string(names[i].name);
    const bool full = slots_->size() >= kItemsMax;
    const bool listed =
        !full && slots_->try_emplace(name, Slot{&group[i], std::string(names[i].unit)}).second;
    if (!listed) complain(name, full);
  }
  return group;
}

Counter& Registry::counter(std::string_view name, std::string_view unit) {
  return get<Counter>(name, unit);
}
Gauge& Registry::gauge(std::string_view name, std::string_view unit) {
  return get<Gauge>(name, unit);
}
Histogram& Registry::histogram(std::string_view name, std::string_view unit) {
  return get<Histogram>(name, unit);
}

Snapshot Registry::snapshot() const {
  const std::lock_guard lock(mutex_);
  Snapshot out;
  out.items.reserve(slots_->size());
  for (const auto& [name, slot] : *slots_) {
    Item& item = out.items.emplace_back();
    item.name = name;
    item.unit = slot.unit;
    if (const auto* counter = slot.find(std::in_place_type<Counter>)) {
      item.kind = Kind::counter;
      item.value = static_cast<std::int64_t>(counter->value());
    } else if (const auto* gauge = slot.find(std::in_place_type<Gauge>)) {
      item.kind = Kind::gauge;
      item.value = gauge->value();
    } else if (const auto* histogram = slot.find(std::in_place_type<Histogram>)) {
      item.kind = Kind::histogram;
      item.distribution = histogram->read();
    }
  }
  return out;
}

}  // namespace krg::stats
