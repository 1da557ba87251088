// kddm_c_impl.h: what is behind the handles of krg/task/kddm.h.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <variant>

#include "krg/task/kddm.h"
#include "krg/task/space.h"

struct krg_kddm_lease {
  std::variant<krg::kddm::ReadLease, krg::kddm::WriteLease> lease;
  krg_kddm_space* space = nullptr;
  krg::kddm::SetId set;
  krg::kddm::ObjectId object;
  std::atomic<bool> held{false};
};

namespace krg::kddm::c {

// The handles of a space. They stay memory of it until its end, and one that was put is used again
// as late as possible: so a second put finds a handle that says so.
class LeasePool {
 public:
  static constexpr std::size_t kResting = 64;

  // nullptr: no memory.
  krg_kddm_lease* take() noexcept;
  void give(krg_kddm_lease& lease) noexcept;

 private:
  std::mutex mutex_;
  std::deque<krg_kddm_lease> all_;
  std::deque<krg_kddm_lease*> free_;  // The one that was put first is first.
};

// Says what went wrong with what, and gives its errno.
int fail(const std::string& what, const Error& error);
int fail_object(SetId set, ObjectId object, const Error& error);
int fail_set(SetId set, const Error& error);
inline int done(const Status& status, SetId set, ObjectId object) {
  return status ? 0 : fail_object(set, object, status.error());
}

// As flags and the space say.
Use use_of(const krg_kddm_space* space, unsigned flags);
// No more than what a Duration holds.
inline Duration milliseconds_of(std::uint64_t milliseconds) {
  constexpr std::uint64_t kYear = std::uint64_t{365} * 24 * 3600 * 1000;
  return std::chrono::milliseconds(std::min(milliseconds, kYear));
}

// What a program of whatever version means.
// Errors  invalid_argument  the text says which
Result<SetOptions> options_of(const krg_kddm_options* from);

}  // namespace krg::kddm::c

struct krg_kddm_space {
  std::unique_ptr<krg::kddm::Space> space;
  std::atomic<std::int64_t> timeout_ms{60'000};
  krg::kddm::c::LeasePool leases;  // Ends before the Space does.
};

namespace krg::kddm::c {

// A lease as a handle; *bytes and *size are its object's.
template <class Lease, class Byte>
int hand_out(krg_kddm_space* space, SetId set, ObjectId object, Result<Lease> leased,
             krg_kddm_lease** lease, Byte** bytes, std::size_t* size) {
  if (!leased) return fail_object(set, object, leased.error());
  krg_kddm_lease& made = *space->leases.take();
  made.space = space;
  made.set = set;
  made.object = object;
  const auto content = made.lease.emplace<Lease>(std::move(*leased)).bytes();
  made.held = true;
  *lease = &made;
  if (bytes != nullptr) *bytes = content.data();
  if (size != nullptr) *size = content.size();
  return 0;
}

}  // namespace krg::kddm::c
