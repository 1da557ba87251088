// op.h: an operation of this node on one object that may have to wait.
//
// Model    co_await it: it is given to the protocol, and ends with a lease, with an answer, by its
//          deadline, or when this node may serve no longer. Destroying it (with its coroutine)
//          gives up, and gives back a lease that nobody has taken.
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

class Op final : private reactor::Ready, private reactor::Timer {
 public:
  Op(Service& service, Set& set, ObjectId object, Message message, Deadline deadline) noexcept
      : service_(service), set_(set), object_(object), message_(message), deadline_(deadline) {}
  Op(const Op&) = delete;
  Op& operator=(const Op&) = delete;
  ~Op();

  // Gives it to the protocol, before it is awaited.
  void begin() noexcept;
  // It is given up when the view changes, instead of being asked for again.
  void end_with_view() noexcept { ends_with_view_ = true; }

  bool await_ready() noexcept;
  void await_suspend(std::coroutine_handle<> caller) noexcept;
  // Of an op_get or op_grab that is ok: the caller has the lease now.
  Status await_resume() noexcept;

  // The protocol has decided; with a lease, `block` are the bytes. Called once.
  void complete(Status how, bool leased, bool writes, Block block) noexcept;
  // The bytes of the lease that await_resume() has given.
  Block take_block() noexcept { return std::move(block_); }
  // Ends it as `why`, if it has not ended.
  void give_up(Error why) noexcept;

 private:
  friend class OpTable;
  void on_timer() noexcept override;

  enum class State : std::uint8_t { idle, waiting, done };

  Service& service_;
  Set& set_;
  const ObjectId object_;
  Message message_;
  const Deadline deadline_;
  Status result_;
  Block block_;
  State state_ = State::idle;
  bool suspended_ = false;
  bool leased_ = false;
  bool writes_ = false;
  bool ends_with_view_ = false;
};

// The ops that wait, by the numbers that the protocol knows them by.
class OpTable {
 public:
  // Never 0.
  std::uint32_t add(Op& op);
  void remove(std::uint32_t number) noexcept;
  // nullptr: it has ended.
  Op* find(std::uint32_t number) const noexcept;
  std::size_t size() const noexcept { return size_; }
  void give_up_all(Error why) noexcept;
  // Only those that end with the view.
  void give_up_with_view() noexcept;
  // Only those on objects of `set`.
  void give_up_of(const Set& set, Error why) noexcept;

 private:
  static constexpr unsigned kSlotBits = 20;
  struct Slot {
    Op* op = nullptr;
    std::uint32_t turn = 0;  // Which use of the slot: an old number finds nobody.
  };

  std::vector<Slot> slots_;
  std::vector<std::uint32_t> free_;
  std::size_t size_ = 0;
};

}  // namespace krg::kddm
