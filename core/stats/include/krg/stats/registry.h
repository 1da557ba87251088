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
#include <string>
#include <string_view>

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

  Snapshot snapshot() const;

 private:
  struct Slot;
  struct Unlisted;
  template <class T>
  T& get(std::string_view name, std::string_view unit);

  mutable std::mutex mutex_;
  std::map<std::string, std::unique_ptr<Slot>, std::less<>> slots_;
  const std::unique_ptr<Unlisted> unlisted_;
  bool complained_ = false;
};

}  // namespace krg::stats
