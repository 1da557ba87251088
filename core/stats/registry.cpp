#include "krg/stats/registry.h"

#include <variant>

#include "krg/log/log.h"

namespace krg::stats {

struct Registry::Slot {
  template <class T>
  Slot(std::in_place_type_t<T> type, std::string_view of) : object(type), unit(of) {}

  std::variant<Counter, Gauge, Histogram> object;
  std::string unit;
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

Registry::Registry() : unlisted_(std::make_unique<Unlisted>()) {}
Registry::~Registry() = default;

template <class T>
T& Registry::get(std::string_view name, std::string_view unit) {
  const std::lock_guard lock(mutex_);
  auto found = slots_.find(name);
  if (found == slots_.end() && slots_.size() < kItemsMax) {
    found = slots_.emplace(std::string(name), std::make_unique<Slot>(std::in_place_type<T>, unit))
                .first;
  }
  if (found != slots_.end()) {
    if (T* object = std::get_if<T>(&found->second->object)) return *object;
  }
  if (!std::exchange(complained_, true)) {
    KRG_WARN("stats: {} is not listed: {}", name,
             found == slots_.end() ? "the registry is full" : "another kind has its name");
  }
  return unlisted_->get(std::in_place_type<T>);
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
  out.items.reserve(slots_.size());
  for (const auto& [name, slot] : slots_) {
    Item& item = out.items.emplace_back();
    item.name = name;
    item.unit = slot->unit;
    if (const auto* counter = std::get_if<Counter>(&slot->object)) {
      item.kind = Kind::counter;
      item.value = static_cast<std::int64_t>(counter->value());
    } else if (const auto* gauge = std::get_if<Gauge>(&slot->object)) {
      item.kind = Kind::gauge;
      item.value = gauge->value();
    } else {
      item.kind = Kind::histogram;
      item.distribution = std::get<Histogram>(slot->object).read();
    }
  }
  return out;
}

}  // namespace krg::stats
