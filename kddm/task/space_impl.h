// space_impl.h: what is behind a Space: the gate to krgd, and the store.
#pragma once

#include <unistd.h>

#include <atomic>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>

#include "krg/base/thread_id.h"
#include "krg/calls/calls.h"
#include "krg/gate/client.h"
#include "krg/task/space.h"
#include "why.h"

namespace krg::kddm {

// krgd answers by the deadline; a grant that came when nobody waits any more would stay.
inline constexpr Duration kGrace = std::chrono::seconds(10);
inline constexpr Duration kSetLimit = std::chrono::seconds(60);

// Errors  invalid_argument  who only reads makes no content
inline Status check_read(const Use& use) noexcept {
  if (!use.manual_touch) return {};
  return Error(Errc::invalid_argument, "a manual first touch is for who grabs");
}

inline Subject subject_of(const Use& use) noexcept {
  return use.no_touch ? Subject::existing : Subject::object;
}

class Space::Impl {
 public:
  Impl(std::string gate, std::unique_ptr<gate::Client> client, UniqueFd bell)
      : gate_(std::move(gate)), client_(std::move(client)), bell_(std::move(bell)) {}

  static void ring(void* who) noexcept {
    const std::uint64_t once = 1;
    // Full: krgd has not looked yet, and will.
    static_cast<void>(::write(static_cast<Impl*>(who)->bell_.get(), &once, sizeof once));
  }

  template <class S>
  Result<typename S::Reply> call(const typename S::Request& request, Duration timeout) {
    KRG_TRY_ASSIGN(gate::Client::Ticket ticket, client_->start<S>(request, timeout));
    return client_->wait<S>(std::move(ticket), timeout + kGrace);
  }
  static Subject subject_of(calls::Verb verb, const Use& use) noexcept {
    if (verb == calls::Verb::flush) return Subject::flush;
    if (verb == calls::Verb::sync) return Subject::sync;
    return verb == calls::Verb::remove ? Subject::existing : kddm::subject_of(use);
  }
  static calls::Use::Request request(calls::Verb verb, SetId set, ObjectId object, const Use& use,
                                     NodeId to) {
    calls::Use::Request request;
    request.verb = verb;
    request.set = set;
    request.object = object;
    request.try_only = use.try_only;
    request.no_touch = use.no_touch;
    request.manual_touch = use.manual_touch;
    request.touch_bytes = use.touch_bytes;
    request.to = to;
    request.share = use.share;
    request.thread = this_thread();
    return request;
  }
  Result<calls::Use::Reply> use(calls::Verb verb, SetId set, ObjectId object, const Use& use,
                                NodeId to = kNoNode) {
    auto reply = call<calls::Use>(request(verb, set, object, use, to), use.timeout);
    if (!reply) return about(subject_of(verb, use), reply.error());
    return reply;
  }
  // The lease that krgd has granted.
  template <class Lease>
  Result<Lease> adopt(const Grant& grant) noexcept {
    Lease lease;
    if constexpr (std::is_same_v<Lease, WriteLease>) {
      lease = store_->adopt_write(grant);
    } else {
      lease = store_->adopt_read(grant);
    }
    if (!lease) return Error(Errc::not_connected, name_of(lease.miss()));
    return lease;
  }
  // What was not here, or others used.
  struct Misses {
    std::atomic<std::uint64_t> gets{0};
    std::atomic<std::uint64_t> grabs{0};
    std::atomic<std::uint64_t> waits{0};
    std::atomic<Duration::rep> waited_ns{0};
  };
  void count_miss(std::atomic<std::uint64_t>& kind, Miss why) noexcept {
    kind.fetch_add(1, std::memory_order_relaxed);
    if (why == Miss::contended || why == Miss::writer || why == Miss::readers) {
      misses_.waits.fetch_add(1, std::memory_order_relaxed);
    }
  }
  // Asks krgd for what the store has refused.
  template <class Lease>
  Result<Lease> lease(calls::Verb verb, SetId set, ObjectId object, const Use& how, Miss why) {
    count_miss(verb == calls::Verb::grab ? misses_.grabs : misses_.gets, why);
    const auto begin = std::chrono::steady_clock::now();
    const auto reply = use(verb, set, object, how);
    const Duration took = std::chrono::steady_clock::now() - begin;
    misses_.waited_ns.fetch_add(took.count(), std::memory_order_relaxed);
    if (!reply) return reply.error();
    if (how.share && !reply->grant.handle) return Lease();
    return adopt<Lease>(reply->grant);
  }
  // The same beside the caller.
  template <class T>
  Result<Ticket<T>> start(calls::Verb verb, SetId set, ObjectId object, const Use& use,
                          NodeId to = kNoNode);
  static calls::Bring::Request bring(bool for_write, SetId set, ObjectId first, std::uint64_t count,
                                     const Use& use) {
    calls::Bring::Request request;
    request.for_write = for_write;
    request.set = set;
    request.first = first;
    request.count = count;
    request.try_only = use.try_only;
    request.no_touch = use.no_touch;
    request.manual_touch = use.manual_touch;
    return request;
  }
  Status act(calls::Verb verb, SetId set, ObjectId object, const Use& how, NodeId to = kNoNode) {
    const auto reply = use(verb, set, object, how, to);
    return reply ? Status() : Status(reply.error());
  }

  Result<SetId> name(calls::NameVerb verb, const std::string& name, SetId set, NameSpaceId in) {
    const auto reply = call<calls::Name>({verb, name, set, in}, kSetLimit);
    const auto subject = verb == calls::NameVerb::bind ? Subject::new_name : Subject::name;
    if (!reply) return about(subject, reply.error());
    return reply->set;
  }
  Result<NameSpaceId> name_space(calls::NameSpaceVerb verb, const std::string& name) {
    const auto reply = call<calls::NameSpace>({verb, name, kDefaultNameSpace}, kSetLimit);
    if (!reply) return about(Subject::name_space, reply.error());
    return reply->id;
  }
  // Found, or made by who asks first.
  Status enter(const std::string& name);
  NameSpaceId place_of(const SetOptions& options) const noexcept {
    return options.name_space == kDefaultNameSpace ? home_ : options.name_space;
  }

  const std::string gate_;
  std::unique_ptr<gate::Client> client_;
  UniqueFd bell_;
  std::unique_ptr<LocalStore> store_;
  Misses misses_;
  NameSpaceId home_ = kDefaultNameSpace;  // Where sets and names are, if nothing else is said.
};

}  // namespace krg::kddm
