#include "counters.h"

#include <array>

namespace krg::kddm {

Counters::Counters(stats::Registry* registry) {
  if (registry == nullptr) {
    own_ = std::make_unique<stats::Registry>();
    registry = own_.get();
  }
  static constexpr stats::CounterName kNames[] = {{"gets", ""},        {"grabs", ""},
                                                  {"hits", ""},        {"first_touches", ""},
                                                  {"removes", ""},     {"flushes", ""},
                                                  {"syncs", ""},       {"sent", ""},
                                                  {"received", ""},    {"data_bytes_sent", "B"},
                                                  {"invalidated", ""}, {"evicted", ""},
                                                  {"moved", ""},       {"written_back", ""},
                                                  {"lost", ""},        {"views", ""},
                                                  {"refused", ""},     {"impossible", ""}};
  stats::Counter** const all[] = {
      &gets,  &grabs,        &hits,     &first_touches,   &removes,     &flushes,
      &syncs, &sent,         &received, &data_bytes_sent, &invalidated, &evicted,
      &moved, &written_back, &lost,     &views,           &refused,     &impossible};
  static_assert(std::size(kNames) == std::size(all));
  stats::Counter* first = registry->counters("kddm", kNames);
  for (std::size_t i = 0; i < std::size(all); ++i) *all[i] = first + i;
}

}  // namespace krg::kddm
