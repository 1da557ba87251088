// harness/statistics.h: what is left of many measurements.
//
// Model    Latencies collects single times of one run; percentiles are by nearest rank. Spread sums
// up the
//          values of a few runs.
// Threads  owned by one thread.
// Blocks   never.
// Source   bench/harness/README.md
#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace krg::harness {

// What one run of one side gave: the value that is compared, and the tail where single times are
// known.
struct Sample {
  double value = 0;
  double p99 = 0;  // 0: not known.
};

// Times of single operations in microseconds. Keeps at most kMax; later ones overwrite the
// earliest.
class Latencies {
 public:
  Latencies();
  void add(double us) noexcept {
    values_[count_ % values_.size()] = static_cast<float>(us);
    ++count_;
  }
  std::size_t count() const noexcept { return count_; }
  // The median as the value, and the 99th percentile. Requires count() > 0. Cost: sorts.
  Sample summary();

 private:
  static constexpr std::size_t kMax = 1u << 18;
  std::vector<float> values_;
  std::size_t count_ = 0;
};

struct Spread {
  double median = 0;
  double min = 0;
  double max = 0;
};

// Requires  !values.empty().
Spread spread(std::span<const double> values);
// The median of the quotients of values measured next to each other: what a machine whose speed
// wanders between runs disturbs least. Requires: both of one length, not empty.
double paired_ratio(std::span<const double> krg, std::span<const double> base);

}  // namespace krg::harness
