// impl.h: a region as a process has attached it.
//
// Model    maps all that the region may grow to; the memory behind it is as long as the region is,
//          so what is behind its end is SIGBUS. What others change of it the guard's thread tells.
// Threads  safe.
// Blocks   as krg/region/region.h.
// Source   docs/design/mm.md, "Tasks", "What changes"
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "guard.h"
#include "krg/gate/one_call.h"
#include "krg/mm_calls/calls.h"
#include "krg/region/region.h"
#include "krg/uffd/uffd.h"

namespace krg {

// Whether pages of the regions that this process makes may go to other nodes for want of room:
// krgrun --no-remote-memory says that they may not.
bool may_use_remote_memory();

class Region::Impl final : private Guarded {
 public:
  Impl(mm::calls::Find::Reply found, UniqueFd memory, const RegionOptions& options,
       std::string path);
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;
  ~Impl();

  // The region of that name, as it is. Errors  those of Region::attach()
  static Result<std::unique_ptr<Impl>> find(const std::string& name, const RegionOptions& options,
                                            const std::string& path, bool hidden);
  // Maps it, and has krgd serve its faults. `copy_to`: where what lies at its address goes before,
  // another mapping of it.
  Status begin(std::byte* copy_to = nullptr);
  // What replaced memory is to leave nothing behind.
  void keep_nothing() noexcept { keeps_ = false; }
  const mm::RegionInfo& info() const noexcept { return info_; }
  std::span<std::byte> bytes() const noexcept {
    return {reinterpret_cast<std::byte*>(address_), bytes_.load(std::memory_order_acquire)};
  }
  bool serves_kernel() const noexcept { return uffd_.serves_kernel(); }
  bool read_only() const noexcept { return read_only_; }

  // Of release consistency; else nothing.
  Status release() const;
  Status acquire() const;

  // Length 0: the rights of all of it.
  Status change(std::uint64_t bytes, mm::calls::Change::Rights rights, std::size_t offset = 0,
                std::size_t length = 0);
  Status sync() const;
  // Errors  invalid_argument  not all of it is in the region
  Status check(std::size_t offset, std::size_t bytes) const;
  // Calls about pages, which touch all bytes of the range, a part at a time.
  Status bring(std::size_t offset, std::size_t bytes, bool write, bool wait) const;
  Status give_up(std::size_t offset, std::size_t bytes) const;
  Status spread(std::size_t offset, std::size_t bytes) const;
  // Time 0: not any longer.
  Status pin(std::size_t offset, std::size_t bytes, std::uint32_t time_ms) const;
  Status push(std::size_t offset, std::size_t bytes, NodeId node, bool write) const;

 private:
  // Such calls are rare, so each has a connection of its own.
  static constexpr Duration kLimit = std::chrono::seconds(60);
  template <class S>
  Result<typename S::Reply> call(typename S::Request request,
                                 std::vector<UniqueFd> fds = {}) const {
    return gate::call_once<S>(path_, std::move(request), kLimit, std::move(fds));
  }
  template <class Call>
  Status each_part(std::size_t offset, std::size_t bytes, Call&& call) const;

  Status map();
  // Where memory is replaced, it is mapped elsewhere first.
  Result<std::uintptr_t> map_memory(int rights) noexcept;
  Status take_place(std::byte* copy_to);
  // What it replaced is memory of this process, with the region's contents.
  void leave_contents() noexcept;
  Status attach();
  void apply(const mm::RegionState& state) noexcept;
  void set_rights() noexcept;
  void on_krgd_end() noexcept override;
  void on_fork() noexcept override;
  void on_change(kddm::SetId set, const mm::RegionState& state) noexcept override;

  const mm::RegionInfo info_;
  const UniqueFd memory_;
  const std::string path_;
  const std::uintptr_t address_;
  const bool read_only_;  // As it was attached.
  const bool replaces_;
  bool keeps_;
  Uffd uffd_;
  std::mutex changing_;
  mm::RegionState state_;  // What is mapped is as this says.
  std::atomic<std::size_t> bytes_;
  std::atomic<std::uintptr_t> mapped_ = 0;  // Where it is now; 0: nowhere.
  std::atomic<bool> is_moving_ = false;
  std::atomic<bool> ended_ = false;  // Its krgd has.
  bool guarded_ = false;
  bool attached_ = false;
  bool fenced_ = false;
};

}  // namespace krg
