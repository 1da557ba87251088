// The functions of krg/task/kddm.h about operations that go on beside the caller.
#include <cerrno>
#include <functional>
#include <new>
#include <utility>
#include <variant>

#include "kddm_c_impl.h"

using namespace krg;
using namespace krg::kddm;
using namespace krg::kddm::c;

struct krg_kddm_started {
  std::variant<Ticket<ReadLease>, Ticket<WriteLease>, Ticket<void>> ticket;
  krg_kddm_space* space = nullptr;
  SetId set;
  ObjectId object;
};

namespace {

// `start`: what begins it, of the space, set and object, as `use` says.
template <class Start>
int begin(krg_kddm_space* space, krg_kddm_set set, std::uint64_t object, unsigned flags,
          krg_kddm_started** started, Start start) {
  const SetId of{set};
  const ObjectId id{object};
  auto begun = start(*space->space, of, id, use_of(space, flags));
  if (!begun) return fail_object(of, id, begun.error());
  *started = new (std::nothrow) krg_kddm_started{std::move(*begun), space, of, id};
  return *started == nullptr ? fail_object(of, id, Error(Errc::no_memory)) : 0;
}

// Of what is ready.
int end(krg_kddm_started& of, Ticket<void>& ticket, krg_kddm_lease**, void**, std::size_t*) {
  return done(ticket.wait(), of.set, of.object);
}
int end(krg_kddm_started& of, Ticket<ReadLease>& ticket, krg_kddm_lease** lease, void** bytes,
        std::size_t* size) {
  const void* content = nullptr;
  const int error = hand_out(of.space, of.set, of.object, ticket.wait(), lease, &content, size);
  if (error == 0 && bytes != nullptr) *bytes = const_cast<void*>(content);
  return error;
}
int end(krg_kddm_started& of, Ticket<WriteLease>& ticket, krg_kddm_lease** lease, void** bytes,
        std::size_t* size) {
  return hand_out(of.space, of.set, of.object, ticket.wait(), lease, bytes, size);
}

}  // namespace

int krg_kddm_start_get(krg_kddm_space* space, krg_kddm_set set, uint64_t object, unsigned flags,
                       krg_kddm_started** started) {
  return begin(space, set, object, flags, started, std::mem_fn(&Space::start_get));
}
int krg_kddm_start_grab(krg_kddm_space* space, krg_kddm_set set, uint64_t object, unsigned flags,
                        krg_kddm_started** started) {
  return begin(space, set, object, flags, started, std::mem_fn(&Space::start_grab));
}
int krg_kddm_start_flush(krg_kddm_space* space, krg_kddm_set set, uint64_t object, uint32_t to,
                         unsigned flags, krg_kddm_started** started) {
  const NodeId node = to == KRG_KDDM_NO_NODE ? kNoNode : NodeId{to};
  return begin(space, set, object, flags, started,
               [node](Space& own, SetId of, ObjectId id, const Use& use) {
                 return own.start_flush(of, id, node, use);
               });
}
int krg_kddm_start_sync(krg_kddm_space* space, krg_kddm_set set, uint64_t object, unsigned flags,
                        krg_kddm_started** started) {
  return begin(space, set, object, flags, started, std::mem_fn(&Space::start_sync));
}
int krg_kddm_start_remove(krg_kddm_space* space, krg_kddm_set set, uint64_t object, unsigned flags,
                          krg_kddm_started** started) {
  return begin(space, set, object, flags, started, std::mem_fn(&Space::start_remove));
}

int krg_kddm_is_ready(const krg_kddm_started* started) {
  return std::visit([](const auto& ticket) { return ticket.ready() ? 1 : 0; }, started->ticket);
}

int krg_kddm_finish(krg_kddm_started* started, uint64_t timeout_milliseconds,
                    krg_kddm_lease** lease, void** bytes, size_t* size) {
  const Duration timeout = milliseconds_of(timeout_milliseconds);
  const bool ready = std::visit([&](const auto& t) { return t.ready(timeout); }, started->ticket);
  if (!ready) {
    static_cast<void>(fail_object(started->set, started->object,
                                  Error(Errc::timed_out, "an operation that still goes on")));
    return EINPROGRESS;
  }
  const int error = std::visit(
      [&](auto& ticket) { return end(*started, ticket, lease, bytes, size); }, started->ticket);
  delete started;
  return error;
}

void krg_kddm_drop(krg_kddm_started* started) { delete started; }
