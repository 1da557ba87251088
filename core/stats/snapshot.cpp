#include "krg/stats/snapshot.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

namespace krg::stats {
namespace {

std::string_view name_of(Kind kind) noexcept {
  switch (kind) {
    case Kind::counter:
      return "counter";
    case Kind::gauge:
      return "gauge";
    case Kind::histogram:
      return "histogram";
  }
  return "unknown";
}

bool before(const Item& a, const Item& b) { return a.name < b.name; }

std::string padded(std::string s, std::size_t width) {
  if (s.size() < width) s.insert(0, width - s.size(), ' ');
  return s;
}

}  // namespace

const Item* Snapshot::find(std::string_view name) const noexcept {
  const auto found =
      std::find_if(items.begin(), items.end(), [&](const Item& item) { return item.name == name; });
  return found == items.end() ? nullptr : &*found;
}

void Snapshot::merge(const Snapshot& other) {
  std::vector<Item> all;
  all.reserve(items.size() + other.items.size());
  all.insert(all.end(), items.begin(), items.end());
  all.insert(all.end(), other.items.begin(), other.items.end());
  std::stable_sort(all.begin(), all.end(), before);
  items.clear();
  for (Item& item : all) {
    if (items.empty() || items.back().name != item.name || items.back().kind != item.kind) {
      items.push_back(std::move(item));
    } else {
      items.back().value += item.value;
      items.back().distribution.merge(item.distribution);
    }
  }
}

std::string json(const Snapshot& snapshot) {
  nlohmann::ordered_json out = nlohmann::ordered_json::array();
  for (const Item& item : snapshot.items) {
    nlohmann::ordered_json entry = {
        {"name", item.name}, {"kind", name_of(item.kind)}, {"unit", item.unit}};
    if (item.kind == Kind::histogram) {
      const Distribution& d = item.distribution;
      entry["count"] = d.count();
      entry["mean"] = d.mean();
      entry["p50"] = d.quantile(0.5);
      entry["p90"] = d.quantile(0.9);
      entry["p99"] = d.quantile(0.99);
      entry["max"] = d.max;
    } else {
      entry["value"] = item.value;
    }
    out.push_back(std::move(entry));
  }
  return out.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

std::string text_table(const Snapshot& snapshot) {
  constexpr std::size_t kWidth = 13;
  std::size_t longest = 4;
  for (const Item& item : snapshot.items) longest = std::max(longest, item.name.size());
  std::string out = "NAME" + std::string(longest - 4, ' ');
  for (const char* title : {"COUNT/VALUE", "MEAN", "P50", "P99", "MAX"}) {
    out += padded(title, kWidth);
  }
  out += "  UNIT\n";
  for (const Item& item : snapshot.items) {
    out += item.name + std::string(longest - item.name.size(), ' ');
    if (item.kind == Kind::histogram) {
      const Distribution& d = item.distribution;
      for (const std::uint64_t n : {d.count(), static_cast<std::uint64_t>(d.mean()),
                                    d.quantile(0.5), d.quantile(0.99), d.max}) {
        out += padded(std::to_string(n), kWidth);
      }
    } else {
      out += padded(std::to_string(item.value), kWidth) + std::string(4 * kWidth, ' ');
    }
    out += "  " + item.unit + "\n";
  }
  return out;
}

}  // namespace krg::stats
