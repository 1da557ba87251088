// op.h: operations of this node on one object that may have to wait.
//
// Model    co_await an Op: it is given to the protocol, and ends with a lease, with an answer, by
//          its deadline, or when this node may serve no longer. Destroying it (with its coroutine)
//          gives up, and gives back a lease that nobody has taken. A PendingOp is what all such
//          operations have in common: its user says what is done at its end.
// Threads  owned by the reactor's thread.
// Blocks   never; it suspends.
// Source   docs/design/kddm.md, "Service"
#pragma once

#include <coroutine>
#include <vector>

#include "krg/kddm/block.h"
#include "krg/protocol/message.h"
#include "krg/reactor/reactor.h"
#include "krg/store/ids.h"

namespace krg::kddm {

class Service;
struct Set;

class PendingOp {
 public:
  explicit PendingOp(Service& service) noexcept : service_(service) {}
  PendingOp(const PendingOp&) = delete;
  PendingOp& operator=(const PendingOp&) = delete;

  bool waiting() const noexcept { return waiting_; }
  // The protocol has decided; with a lease, `block` are the bytes. Called once for each begin().
  void complete(Status how, bool leased, bool writes, Block block) noexcept;
  // Ends it as `why`, if it has not ended.
  void give_up(Error why) noexcept;

 protected:
  ~PendingOp() { abandon(); }

  // Gives it to the protocol; ended() follows, perhaps from within.
  // Requires  not waiting.
  void begin(Set& set, ObjectId object, const Message& message) noexcept;
  // Called from within the protocol: starts no other operation.
  virtual void ended(Status how, bool leased, bool writes, Block block) noexcept = 0;
  // Nobody is interested any more: ended() will not be called.
  void abandon() noexcept;

  Service& service_;
  Set* set_ = nullptr;
  ObjectId object_;
  bool ends_with_view_ = false;

 private:
  friend class OpTable;

  std::uint32_t number_ = 0;
  bool waiting_ = false;
};

class Op final : public PendingOp, private reactor::Ready, private reactor::Timer {
 public:
  Op(Service& service, Set& set, ObjectId object, const Message& message,
     Deadline deadline) noexcept
      : PendingOp(service), message_(message), deadline_(deadline) {
    set_ = &set;
    object_ = object;
  }
  ~Op();

  // Gives it to the protocol, before it is awaited.
  void begin() noexcept;
  // It is given up when the view changes, instead of being asked for again.
  void end_with_view() noexcept { ends_with_view_ = true; }

  bool await_ready() noexcept;
  void await_suspend(std::coroutine_handle<> caller) noexcept;
  // Of an op_get or op_grab that is ok: the caller has the lease now.
  Status await_resume() noexcept;
  // The bytes of the lease that await_resume() has given.
  Block take_block() noexcept { return std::move(block_); }

 private:
  void ended(Status how, bool leased, bool writes, Block block) noexcept override;
  void on_timer() noexcept override;

  const Message message_;
  const Deadline deadline_;
  Status result_;
  Block block_;
  bool suspended_ = false;
  bool leased_ = false;
  bool writes_ = false;
  bool begun_ = false;
};

// The ops that wait, by the numbers that the protocol knows them by.
class OpTable {
 public:
  // Never 0.
  std::uint32_t add(PendingOp& op);
  void remove(std::uint32_t number) noexcept;
  // nullptr: it has ended.
  PendingOp* find(std::uint32_t number) const noexcept;
  std::size_t size() const noexcept { return size_; }
  void give_up_all(Error why) noexcept;
  // Only those that end with the view.
  void give_up_with_view() noexcept;
  // Only those on objects of `set`.
  void give_up_of(const Set& set, Error why) noexcept;

 private:
  static constexpr unsigned kSlotBits = 20;
  struct Slot {
    PendingOp* op = nullptr;
    std::uint32_t turn = 0;  // Which use of the slot: an old number finds nobody.
  };

  std::vector<Slot> slots_;
  std::vector<std::uint32_t> free_;
  std::size_t size_ = 0;
};

}  // namespace krg::kddm
