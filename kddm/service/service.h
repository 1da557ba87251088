// service.h: the machine behind Kddm: gives each message and each operation to the protocol, and
// does what comes out.
//
// Model    what this node tells itself goes through a queue of its own, in order; what it tells
//          others through channels, which keep the order between two nodes. Nothing here calls a
//          coroutine: ops are scheduled, so no rule of the protocol ever runs within another.
// Threads  owned by the reactor's thread.
// Blocks   never.
// Source   docs/design/kddm.md, "Service"
#pragma once

#include <array>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "copies.h"
#include "counters.h"
#include "drain.h"
#include "envelope.h"
#include "krg/base/ring_queue.h"
#include "krg/channel/channels.h"
#include "krg/cluster/view.h"
#include "krg/kddm/kddm.h"
#include "krg/kddm/options.h"
#include "krg/rpc/rpc.h"
#include "krg/store/homes.h"
#include "late.h"
#include "op.h"
#include "room.h"
#include "set.h"

namespace krg::kddm {

class Backing;

constexpr std::uint16_t flags_of(const OpOptions& options) noexcept {
  return static_cast<std::uint16_t>((options.try_only ? kTry : 0) |
                                    (options.no_touch ? kNoTouch : 0) |
                                    (options.manual_touch ? kManual : 0));
}
// Errors  invalid_argument  who only reads makes no content
Status check(Kind kind, const OpOptions& options) noexcept;

class Service final : public ChannelSink, private reactor::Timer {
 public:
  Service(rpc::Rpc& rpc, KddmOptions options);
  Service(const Service&) = delete;
  Service& operator=(const Service&) = delete;
  // Requires  no Op and no Lease is left.
  ~Service();

  reactor::Reactor& reactor() noexcept { return rpc_.reactor(); }
  rpc::Rpc& rpc() noexcept { return rpc_; }
  OpTable& ops() noexcept { return ops_; }
  NodeId self() const noexcept { return options_.self; }
  const cluster::NodeSet& members() const noexcept { return now_.members; }
  Counters& counters() noexcept { return counters_; }

  // Whether an operation may begin.
  // Errors  not_connected  not in a view; shutting_down  draining; those of KddmOptions::serving
  Status may_serve() const;
  // Whether this node's leases from the cluster are valid. Errors  those of KddmOptions::serving
  Status serves() const;
  // Leaves: begins nothing more, and gives what it has away.
  void begin_draining() noexcept { draining_ = true; }
  // It has, and must have nothing again.
  void end_draining() noexcept { drained_ = true; }
  std::vector<ToGive> held(bool& asks);
  // It does not leave after all.
  void stop_draining() noexcept;
  Drain& drain_of_others() noexcept { return drain_of_others_; }
  // Whether a flush or sync of this node is at some home. Cost: all copies are looked at.
  bool asks_to_move();

  // --- Sets
  void add_linker(Linker& linker);
  Linker* linker(const std::string& name) const noexcept;
  // nullptr: not known here.
  Set* find_set(SetId id) noexcept;
  Set& add_set(SetId id, SetOptions options);
  // The set does not exist any more: what is here of it goes, and its ops end with not_found.
  void bury(SetId id);
  // In no order; after nullptr the first, after the last nullptr.
  Set* next_set(const Set* set) noexcept;
  // Whether there was ever one here that is written back.
  bool has_backed() const noexcept { return has_backed_; }
  template <class Visit>
  void for_each_set(Visit&& visit) {
    for (auto& [id, set] : sets_) visit(*set);
  }

  // --- Operations
  // Gives an op to the protocol; it is completed now or later.
  void start(Set& set, ObjectId object, Message op) noexcept;
  // Its caller has given up.
  void abandon(Set& set, ObjectId object, std::uint32_t op) noexcept;
  // Leases of a held object may begin again, and those that have waited for that do.
  void release_held(Set& set, ObjectId object) noexcept;
  // A lease of what is here, if it can be had at once and the protocol has nothing to do for it.
  Lease hit(Set& set, ObjectId object, bool writes) noexcept;
  void end_lease(Set& set, ObjectId object, bool writes) noexcept;
  // The bytes here, of an object on which there is a lease; kept while the block lives.
  Block block_of(Set& set, ObjectId object) noexcept;
  // Of an object that is leased for writing here. Errors  no_memory, no_space
  Status resize(Set& set, ObjectId object, std::size_t size) noexcept;
  // What is here of an object, and of all.
  Copies& copies() noexcept { return copies_; }
  NodeId home_of(Set& set, ObjectId object) const noexcept { return homes_for(set, object).home; }
  static Lease lease(Service& service, Set& set, ObjectId object, Block block, bool writes);
  // The lease becomes the task's. Errors  those of Copies::hand_over(); the lease then ends.
  // `others`: whether further tasks are to be told that it is here.
  Result<Grant> hand_over(Lease lease, TaskIndex task, const bool* others);
  // As Kddm::resize_for().
  Result<Grant> resize_for(TaskIndex task, SlotId slot, std::uint32_t lease, std::size_t size,
                           Errc& how);
  // Tasks may have ended leases that somebody waits for: looks.
  void sweep() noexcept;
  // They have, of these slots: as NodeStore::sweep() says.
  void tasks_ended(const std::vector<SlotId>& idle) noexcept;
  NodeStore* store() const noexcept { return copies_.store(); }
  // The copy of `set` that lies in `slot`; Copy::none: that copy is gone. Requires  the slot is in
  // use.
  Copies::Seen seen_at(Set* set, SlotId slot) const noexcept;
  Room& room() noexcept { return room_; }
  Backing& backing() noexcept { return *backing_; }
  std::uint64_t used_bytes() const noexcept { return copies_.used_bytes(); }
  // What a copy of `object` would add to them; 0 for what is here, or of unknown size.
  std::uint64_t missing_bytes(Set& set, ObjectId object) const noexcept;
  // A copy of it, of whatever kind, is here.
  bool has_bytes(Set& set, ObjectId object) const noexcept;
  void use_store(NodeStore& store) noexcept { copies_.use(store); }

  // --- Views
  void enter(const cluster::View& view);
  Epoch epoch() const noexcept { return epoch_; }
  // Whether all members have said what they held when this view began.
  bool settled() const noexcept { return settled_; }
  // Whether that is so, and every object whose home this is has been put together.
  // Cost: all of them are looked at.
  bool knows_all();

  // What was late.
  void send_late(Set& set, ObjectId object, NodeId to, const Message& message) noexcept {
    send(set, object, nullptr, to, message);
  }

  // ChannelSink
  void on_message(NodeId from, Epoch epoch, wire::Bytes head, Arrived data) override;

 private:
  // What this node tells itself.
  struct Note {
    Set* set = nullptr;  // nullptr: that it has reported.
    ObjectId object;
    Message message;
  };

  // That came while this node had no lease.
  struct HeldBack {
    Set* set = nullptr;
    ObjectId object;
    Message message;
    Arrived data;
  };

  // Where its part is, awake: with_part() or copies_.rest() is to follow.
  Set::Halves look(Set& set, ObjectId object, bool here, bool asked) noexcept {
    return set.look(object, copies_.find(set, object), here, asked);
  }
  Homes homes_for(Set& set, ObjectId object) const noexcept;
  Homes homes_in(const Set& set, ObjectId object, const HashRing& ring,
                 const cluster::NodeSet& members) const noexcept;
  // Where objects are at home in a view.
  struct Homesteads {
    cluster::NodeSet members;
    HashRing ring{cluster::NodeSet{}};
    // Members that do not leave, and their ring; none: nobody leaves.
    cluster::NodeSet staying;
    std::optional<HashRing> ring_of_staying;
  };
  std::array<NodeId, 2> next_of(const Set& set, ObjectId object, const Homes& homes,
                                const Homesteads& view) const noexcept;
  Place place_of(Set& set, ObjectId object) const noexcept;
  // `data`: what came with a message; nullptr: nothing.
  void feed(Set& set, ObjectId object, Message in, Arrived* data = nullptr) noexcept;
  void feed_one(Set& set, ObjectId object, const Message& in, Arrived* data) noexcept;
  // At the home: who asks to give up its copy only if that is not needed is to keep it.
  static bool refuses_to_give_up(const Set::Halves& at, const Message& in, const Place& place);
  // Of a lock's: see Cohorts.
  void window_over(SlotId slot) noexcept;
  // Leases of tasks on the object have ended.
  void recheck_object(Set& set, ObjectId object) noexcept;
  // One step, or a change of view, of an object's part; then what comes out of it.
  template <class Step>
  void with_part(Set& set, Set::Halves at, ObjectId object, const Place& place, Arrived* data,
                 Step&& step);
  void drain() noexcept;
  // `entry` is the object's, if it has one; when it goes it is nullptr.
  void perform(Set& set, ObjectId object, HolderEntry*& entry, const Actions& actions,
               Arrived* data) noexcept;
  void begin_lease(Set& set, HolderEntry& entry, PendingOp& op, bool writes) noexcept;
  void send(Set& set, ObjectId object, HolderEntry* entry, NodeId to,
            const Message& message) noexcept;
  void install(Set& set, HolderEntry* entry, Arrived* data) noexcept;
  void drop(Set& set, HolderEntry*& entry) noexcept;
  // `manual`: by the caller, so zeros here; else by the linker.
  void begin_fill(Set& set, HolderEntry* entry, bool manual) noexcept;
  void fill_now(Set& set, HolderEntry& entry, bool manual) noexcept;
  Co<void> fill_later(Set& set, ObjectId object, std::uint64_t bytes, bool manual, Epoch epoch);
  void fill_failed(Set& set, ObjectId object, Error why) noexcept;
  // Why the first touch failed of which the protocol says so now.
  Error take_failure(Set& set, ObjectId object) noexcept;
  // The home says in an answer why it did there.
  static void take_note_of_failure(Set& set, ObjectId object, Message& answer);
  Co<void> fill(Set& set, ObjectId object, Block block, bool manual, Epoch epoch);
  void finish(Set& set, ObjectId object, std::uint32_t op, Answer how) noexcept;
  void report_impossible(const Set& set, ObjectId object, const Message& in,
                         const char* why) noexcept;
  // Whether a message is to a member; if not, says so: it is not to be sent.
  bool is_to_a_member(const Set& set, ObjectId object, const Action& action) noexcept;

  void on_object(NodeId from, wire::Bytes head, Arrived& data);
  void on_introduction(wire::Bytes head);
  void on_reported(NodeId from, bool all) noexcept;
  void tell_all(NodeId home) noexcept;
  bool has_lease() const;
  // False: it may be taken now.
  bool hold_back(Set& set, ObjectId object, const Message& message, Arrived& data) noexcept;
  void take_held_back() noexcept;
  bool fits(const Set& set, const Message& message, std::size_t size) const noexcept;
  void malformed(NodeId from, const char* what) noexcept;

  void come_from(const cluster::View& view);
  Before before_of(Set& set, ObjectId object, const Place& place) const noexcept;
  bool is_certain(const Before& before) const noexcept;
  bool is_certain(Set& set, ObjectId object, const Place& place) const noexcept;
  void change_view_of(Set& set, ObjectId object) noexcept;
  void begin_rebuild(Set& set, ObjectId object) noexcept;
  void report_nothing(Set& set, ObjectId object, NodeId from) noexcept;

  // Looks now and then whether ops may go on, and whether tasks have ended what they had.
  void watch() noexcept;
  void on_timer() noexcept override;

  rpc::Rpc& rpc_;
  const KddmOptions options_;
  Counters counters_;
  Cohorts cohorts_{rpc_.reactor(), [this](SlotId slot) { window_over(slot); }};
  Copies copies_{rpc_.buffers()};
  Room room_;
  std::unique_ptr<Backing> backing_;
  Channels channels_;
  Late late_{*this};
  std::map<std::string, Linker*, std::less<>> linkers_;
  MemoryLinker memory_linker_;
  std::unordered_map<SetId, std::unique_ptr<Set>> sets_;
  Set* last_ = nullptr;  // That was asked for: the next one mostly is the same.
  OpTable ops_;
  Epoch epoch_{0};
  Homesteads now_;
  CopySet reported_;  // Members that have told everything they held when this view began.
  // The view that this node comes from, and how.
  Homesteads before_;
  std::vector<std::pair<NodeId, Incarnation>> lives_;  // Of the members, by node.
  cluster::NodeSet newcomers_;                         // Members that were not in it.
  bool follows_ = false;                               // This view is the one right after it.
  bool asks_all_ = false;  // As a home this node can not rely on what it knew.
  RingQueue<Note> notes_;
  std::vector<Note> deferred_;  // Leases of held objects.
  std::vector<HeldBack> held_back_;
  Actions actions_;
  bool settled_ = true;
  bool draining_ = false;
  bool drained_ = false;
  Drain drain_of_others_{*this};
  bool has_backed_ = false;
  bool busy_ = false;      // drain() runs.
  bool watching_ = false;  // The timer runs.
};

}  // namespace krg::kddm
