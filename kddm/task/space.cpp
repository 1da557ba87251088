#include "krg/task/space.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "krg/gate/one_call.h"
#include "krg/shm/futex.h"
#include "space_impl.h"
#include "why.h"

namespace krg::kddm {
namespace {

using namespace std::chrono_literals;

constexpr Duration kConnectLimit = 10s;

struct Attached {
  LocalStore::Pass pass;
  UniqueFd bell;
};

Result<Attached> attach(const std::string& path) {
  std::vector<UniqueFd> fds;
  KRG_TRY_ASSIGN(const auto reply,
                 gate::call_once<calls::Attach>(path, {}, kConnectLimit, {}, &fds));
  if (fds.size() != calls::Attach::kFds) {
    return Error(Errc::protocol_error, "krgd passed other descriptors than it should");
  }
  Attached attached;
  attached.pass.directory = std::move(fds[0]);
  attached.pass.shared = std::move(fds[1]);
  attached.bell = std::move(fds[2]);
  attached.pass.geometry = reply.geometry;
  attached.pass.task = reply.task;
  return attached;
}

}  // namespace

Space::Space(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Space::~Space() = default;

Result<std::unique_ptr<Space>> Space::connect(const std::string& gate,
                                              const std::string& name_space) {
  renew_thread_id();  // A child of fork() comes here too.
  KRG_TRY_ASSIGN(const std::string path, gate::path_or_own(gate));
  KRG_TRY_ASSIGN(Attached attached, attach(path));
  KRG_TRY_ASSIGN(auto client, gate::Client::connect(path, {}));
  auto impl = std::make_unique<Impl>(path, std::move(client), std::move(attached.bell));
  KRG_TRY_ASSIGN(impl->store_,
                 LocalStore::open(std::move(attached.pass), {Impl::ring, impl.get()}));
  if (name_space != "default") KRG_TRY(impl->enter(name_space));
  return std::unique_ptr<Space>(new Space(std::move(impl)));
}

const std::string& Space::gate() const noexcept { return impl_->gate_; }

// --- Sets ---------------------------------------------------------------------------------------

Result<SetId> Space::create(const SetOptions& options, SetId wanted) {
  // krgd checks this too, but its texts do not come along.
  KRG_TRY(check(options));
  calls::Create::Request request{options, wanted};
  request.options.name_space = impl_->place_of(options);
  const auto reply = impl_->call<calls::Create>(request, kSetLimit);
  if (!reply) return about(Subject::options, reply.error());
  return reply->set;
}

Result<SetOptions> Space::options_of(SetId set) {
  auto reply = impl_->call<calls::Describe>({set}, kSetLimit);
  if (!reply) return about(Subject::set, reply.error());
  return std::move(reply->options);
}

Status Space::destroy(SetId set) {
  const auto reply = impl_->call<calls::Destroy>({set}, kSetLimit);
  return reply ? Status() : Status(about(Subject::set, reply.error()));
}

Status Space::sync(SetId set, const Use& use) {
  const auto reply = impl_->call<calls::SyncSet>({set}, use.timeout);
  return reply ? Status() : Status(about(Subject::whole, reply.error()));
}

Status Space::bind(const std::string& name, SetId set) {
  const auto done = impl_->name(calls::NameVerb::bind, name, set, impl_->home_);
  return done ? Status() : Status(done.error());
}

Result<SetId> Space::look_up(const std::string& name) {
  return impl_->name(calls::NameVerb::look_up, name, kNoSet, impl_->home_);
}

Status Space::unbind(const std::string& name) {
  const auto done = impl_->name(calls::NameVerb::unbind, name, kNoSet, impl_->home_);
  return done ? Status() : Status(done.error());
}

Result<SetId> Space::open(const std::string& name, const SetOptions& options) {
  SetOptions wanted = options;
  const NameSpaceId in = wanted.name_space = impl_->place_of(options);
  Result<SetId> found = impl_->name(calls::NameVerb::look_up, name, kNoSet, in);
  if (!found && found.error().code() == Errc::not_found) {
    KRG_TRY_ASSIGN(const SetId made, create(wanted));
    const auto bound = impl_->name(calls::NameVerb::bind, name, made, in);
    if (bound) return made;
    // Somebody else was first.
    static_cast<void>(destroy(made));
    if (bound.error().code() != Errc::already_exists) return bound.error();
    found = impl_->name(calls::NameVerb::look_up, name, kNoSet, in);
  }
  if (!found) return found;
  KRG_TRY_ASSIGN(const SetOptions other, options_of(*found));
  if (other != wanted) return Error(Errc::already_exists, "a set of other options has this name");
  return found;
}

// --- Name spaces --------------------------------------------------------------------------------

Status Space::Impl::enter(const std::string& name) {
  Result<NameSpaceId> found = name_space(calls::NameSpaceVerb::find, name);
  if (!found && found.error().code() == Errc::not_found) {
    found = name_space(calls::NameSpaceVerb::create, name);
    if (!found && found.error().code() == Errc::already_exists) {
      // Somebody else was first.
      found = name_space(calls::NameSpaceVerb::find, name);
    }
  }
  if (!found) return found.error();
  home_ = *found;
  return {};
}

NameSpaceId Space::name_space() const noexcept { return impl_->home_; }

Result<NameSpaceId> Space::create_name_space(const std::string& name) {
  return impl_->name_space(calls::NameSpaceVerb::create, name);
}

Result<NameSpaceId> Space::find_name_space(const std::string& name) {
  return impl_->name_space(calls::NameSpaceVerb::find, name);
}

Status Space::destroy_name_space(NameSpaceId id, const Use& use) {
  const auto reply =
      impl_->call<calls::NameSpace>({calls::NameSpaceVerb::destroy, {}, id}, use.timeout);
  return reply ? Status() : Status(about(Subject::name_space, reply.error()));
}

// --- Objects ------------------------------------------------------------------------------------

Result<ReadLease> Space::get(SetId set, ObjectId object, const Use& use) {
  KRG_TRY(check_read(use));
  ReadLease hit = impl_->store_->try_read(set, object);
  if (hit) return hit;
  return impl_->lease<ReadLease>(calls::Verb::get, set, object, use, hit.miss());
}

Result<WriteLease> Space::grab(SetId set, ObjectId object, const Use& use) {
  WriteLease hit = impl_->store_->try_write(set, object);
  if (hit) {
    if (use.touch_bytes > 0) [[unlikely]]
      KRG_TRY(give_size(hit, use));
    return hit;
  }
  return impl_->lease<WriteLease>(calls::Verb::grab, set, object, use, hit.miss());
}

Handle Space::handle_of(SetId set, ObjectId object) const noexcept {
  return impl_->store_->find(set, object);
}
ReadLease Space::try_get(Handle handle) noexcept { return impl_->store_->try_read(handle); }
WriteLease Space::try_grab(Handle handle) noexcept { return impl_->store_->try_write(handle); }

WriteLease Space::await_grab(Handle handle, Duration timeout) noexcept {
  return impl_->store_->await_write(handle, Deadline(shm::monotonic_now() + timeout));
}

// Of what exists without bytes; krgd does so for what is not here.
Status Space::give_size(WriteLease& lease, const Use& use) {
  if (!use.manual_touch || !lease.bytes().empty()) return {};
  return resize(lease, use.touch_bytes);
}

Status Space::resize(WriteLease& lease, std::size_t size) {
  if (!lease) return Error(Errc::invalid_argument, "resizing by a lease that has ended");
  const SlotId slot = lease.slot();
  const auto reply = impl_->call<calls::Resize>({slot, lease.surrender(), size}, kSetLimit);
  if (!reply) return about(Subject::size, reply.error());
  lease = impl_->store_->adopt_write(reply->grant);
  return reply->how == Errc::ok ? Status() : Status(about(Subject::size, Error(reply->how)));
}

Status Space::flush(SetId set, ObjectId object, NodeId to, const Use& use) {
  return impl_->act(calls::Verb::flush, set, object, use, to);
}
Status Space::sync(SetId set, ObjectId object, const Use& use) {
  return impl_->act(calls::Verb::sync, set, object, use);
}
Status Space::remove(SetId set, ObjectId object, const Use& use) {
  return impl_->act(calls::Verb::remove, set, object, use);
}
Status Space::prefetch(SetId set, ObjectId object, const Use& use) {
  KRG_TRY(check_read(use));
  return impl_->act(calls::Verb::prefetch, set, object, use);
}
Status Space::prefetch_range(SetId set, ObjectId first, std::uint64_t count, const Use& use,
                             LeaseKind kind) {
  if (kind == LeaseKind::read) KRG_TRY(check_read(use));
  const auto end = std::chrono::steady_clock::now() + use.timeout;
  Status how;
  for (std::uint64_t at = 0; at < count;) {
    const std::uint64_t piece = std::min(calls::Bring::kMax, count - at);
    const Duration left = std::max<Duration>(end - std::chrono::steady_clock::now(), Duration(0));
    const auto request =
        Impl::bring(kind == LeaseKind::write, set, ObjectId{first.value + at}, piece, use);
    const auto reply = impl_->call<calls::Bring>(request, left);
    if (how && !reply) how = about(subject_of(use), reply.error());
    // Further ones would end the same way.
    if (!reply && reply.error().code() != Errc::lost && reply.error().code() != Errc::not_found)
      break;
    at += piece;
  }
  return how;
}
SpaceStatistics Space::statistics() const noexcept {
  const LocalStore::Hits hits = impl_->store_->hits();
  const Impl::Misses& misses = impl_->misses_;
  const std::uint64_t gets = misses.gets.load(std::memory_order_relaxed);
  const std::uint64_t grabs = misses.grabs.load(std::memory_order_relaxed);
  return {.gets = hits.reads + gets,
          .grabs = hits.writes + grabs,
          .misses = gets + grabs,
          .waits = misses.waits.load(std::memory_order_relaxed),
          .waited = Duration(misses.waited_ns.load(std::memory_order_relaxed))};
}
bool Space::find(SetId set, ObjectId object) noexcept { return impl_->store_->has(set, object); }

}  // namespace krg::kddm
