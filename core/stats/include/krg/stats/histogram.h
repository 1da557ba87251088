// stats/histogram.h: the distribution of a quantity in fixed memory.
//
// Model    buckets grow with the value: 32 to each power of two, so a value is read back
//          to 1.6 %. Values from 0 to 2^42-1 (73 minutes in nanoseconds); larger ones
//          count as the largest. 9.5 KiB.
// Threads  record() by the one thread that owns it; every thread may read at any time.
// Blocks   never. Cost of record(): about 2 ns.
// Source   HdrHistogram (Gil Tene), http://hdrhistogram.org
#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace krg::stats {

// A number with one writer: no locked instruction, and readers of other threads see whole values.
template <class T>
class Owned {
 public:
  T load() const noexcept { return value_.load(std::memory_order_relaxed); }
  void store(T value) noexcept { value_.store(value, std::memory_order_relaxed); }
  void add(T n) noexcept { store(load() + n); }

 private:
  std::atomic<T> value_{0};
};

// How values map to buckets; the same in every process, so that histograms merge.
struct Buckets {
  static constexpr unsigned kSubBits = 5;
  static constexpr std::uint64_t kSub = 1u << kSubBits;
  static constexpr unsigned kValueBits = 42;
  static constexpr std::uint64_t kValueMax = (std::uint64_t{1} << kValueBits) - 1;
  static constexpr std::size_t kCount = (kValueBits - kSubBits + 1) * kSub;

  static constexpr std::size_t index_of(std::uint64_t value) noexcept {
    if (value < kSub) return static_cast<std::size_t>(value);
    if (value > kValueMax) value = kValueMax;
    const unsigned shift = static_cast<unsigned>(std::bit_width(value)) - kSubBits - 1;
    return static_cast<std::size_t>((shift + 1) * kSub + (value >> shift) - kSub);
  }
  // The middle of a bucket. Requires  index < kCount.
  static constexpr std::uint64_t value_of(std::size_t index) noexcept {
    if (index < kSub) return index;
    const auto shift = static_cast<unsigned>(index / kSub - 1);
    const std::uint64_t low = (index % kSub + kSub) << shift;
    return low + ((std::uint64_t{1} << shift) >> 1);
  }
};

// What a histogram held when it was read: buckets that are not empty, by ascending index.
struct Distribution {
  std::uint64_t sum = 0;
  std::uint64_t max = 0;
  std::vector<std::pair<std::uint16_t, std::uint64_t>> buckets;

  bool operator==(const Distribution&) const = default;
  static void wire_fields(auto& m, auto&& visit) { visit(m.sum, m.max, m.buckets); }

  std::uint64_t count() const noexcept;
  double mean() const noexcept;
  // The value that `q` of the recorded ones do not exceed; 0 if there is none. Requires  0 <= q
  // <= 1.
  std::uint64_t quantile(double q) const noexcept;
  void merge(const Distribution& other);
};

class Histogram {
 public:
  void record(std::uint64_t value) noexcept {
    buckets_[Buckets::index_of(value)].add(1);
    sum_.add(value);
    if (value > max_.load()) max_.store(value);
  }
  Distribution read() const;

 private:
  Owned<std::uint64_t> sum_;
  Owned<std::uint64_t> max_;
  std::array<Owned<std::uint64_t>, Buckets::kCount> buckets_;
};

}  // namespace krg::stats
