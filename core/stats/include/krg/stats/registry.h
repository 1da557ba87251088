// stats/registry.h: the named numbers of one krg instance, always counted.
//
// Model    a module registers its counters, gauges and histograms once, keeps the references, and
//          counts. Names are dotted, "rpc.echo.calls"; asking twice for a name gives the same
//          object. Registries are values of a Node, not of the process: a simulated cluster has one
//          per node.
// Threads  counter(), gauge(), histogram() and snapshot() are safe; counting belongs to one thread
//          per object, as histogram.h says.
// Blocks   a mutex while registering or taking a snapshot; counting never.
// Source   docs/design/layers.md, "Statistics"
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "krg/stats/histogram.h"
#include "krg/stats/snapshot.h"

namespace krg::stats {

// Only grows.
class Counter {
 public:
  void add(std::uint64_t n = 1) noexcept { value_.add(n); }
  std::uint64_t value() const noexcept { return value_.load(); }

 private:
  Owned<std::uint64_t> value_;
};

// Goes up and down.
class Gauge {
 public:
  void set(std::int64_t value) noexcept { value_.store(value); }
  void add(std::int64_t n) noexcept { value_.add(n); }
  std::int64_t value() const noexcept { return value_.load(); }

 private:
  Owned<std::int64_t> value_;
};

// One of a group of counters that belong together.
struct CounterName {
  std::string_view name;
  std::string_view unit;
};

class Registry {
 public:
  static constexpr std::size_t kItemsMax = 4096;

  Registry();
  Registry(const Registry&) = delete;
  Registry& operator=(const Registry&) = delete;
  ~Registry();

  // The references are valid as long as the registry. `unit` is for display: "ns", "B", "".
  // Above kItemsMax, and for a name that another kind has, the object counts but is not in
  // snapshots; the log says so once.
  Counter& counter(std::string_view name, std::string_view unit = "");
  Gauge& gauge(std::string_view name, std::string_view unit = "");
  Histogram& histogram(std::string_view name, std::string_view unit = "ns");
  // Counters that are counted together, side by side in memory: the i-th is `prefix`.names[i].
  Counter* counters(std::string_view prefix, std::span<const CounterName> names);

  Snapshot snapshot() const;

 private:
  struct Slot;
  struct Unlisted;
  using Slots = std::map<std::string, Slot, std::less<>>;
  template <class T>
  T& get(std::string_view name, std::string_view unit);
  // Says once why something is not listed.
  void complain(std::string_view name, bool full);

  mutable std::mutex mutex_;
  std::unique_ptr<Slots> slots_;
  std::vector<std::unique_ptr<Counter[]>> groups_;
  const std::unique_ptr<Unlisted> unlisted_;
  bool complained_ = false;
};

}  // namespace krg::stats
