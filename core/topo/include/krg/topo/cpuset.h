// topo/cpuset.h: a set of hardware threads, by their operating-system numbers.
//
// Model    a value: a bit vector without a fixed size, equal exactly when the members are. Two
//          texts: the kernel's list "0-3,8" and hwloc's bitmap "0x0000010f", which PMIx wants.
// Threads  as a std::vector.
// Blocks   never.
// Source   cpuset(7) "List format"; hwloc_bitmap_snprintf(3)
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "krg/error/result.h"

namespace krg::topo {

class CpuSet {
 public:
  // One past the highest cpu number a text may name: a bound for outside bytes, above any
  // machine's.
  static constexpr std::size_t kLimit = 65536;
  static constexpr std::size_t npos = ~std::size_t{0};

  CpuSet() = default;
  static CpuSet single(std::size_t cpu);
  // The cpus [first, last].
  static CpuSet range(std::size_t first, std::size_t last);

  // "0-3,8", blanks around items allowed; the empty text is the empty set.
  // Errors  invalid_argument  anything else, a falling range, or a number >= kLimit.
  static Result<CpuSet> parse_list(std::string_view text);
  // hwloc's "0x00000001,0x0000ffff": 32-bit words, highest first.
  // Errors  invalid_argument  as above; also an infinite set ("0xf...f").
  static Result<CpuSet> parse_bitmap(std::string_view text);

  std::string list() const;
  std::string bitmap() const;

  // Requires  cpu < kLimit.
  void add(std::size_t cpu);
  void remove(std::size_t cpu) noexcept;
  void clear() noexcept { words_.clear(); }

  bool has(std::size_t cpu) const noexcept;
  bool empty() const noexcept { return words_.empty(); }
  std::size_t count() const noexcept;
  // npos in an empty set.
  std::size_t first() const noexcept { return next(0); }
  std::size_t last() const noexcept;
  // The lowest member >= `from`, or npos.
  std::size_t next(std::size_t from) const noexcept;
  // Every member, rising.
  std::vector<std::uint32_t> members() const;

  bool intersects(const CpuSet& other) const noexcept;
  // Whether every member of `other` is in this set.
  bool contains(const CpuSet& other) const noexcept;

  CpuSet& operator|=(const CpuSet& other);
  CpuSet& operator&=(const CpuSet& other) noexcept;
  CpuSet& operator-=(const CpuSet& other) noexcept;
  friend CpuSet operator|(CpuSet a, const CpuSet& b) { return a |= b; }
  friend CpuSet operator&(CpuSet a, const CpuSet& b) { return a &= b; }
  friend CpuSet operator-(CpuSet a, const CpuSet& b) { return a -= b; }
  bool operator==(const CpuSet&) const = default;

 private:
  void trim() noexcept;

  std::vector<std::uint64_t> words_;  // The last word is never zero, so equality is by value.
};

}  // namespace krg::topo
