#include "op.h"

#include <utility>

#include "service.h"

namespace krg::kddm {

void PendingOp::begin(Set& set, ObjectId object, const Message& message) noexcept {
  KRG_DASSERT(!waiting_);
  set_ = &set;
  object_ = object;
  waiting_ = true;
  Message numbered = message;
  numbered.op = number_ = service_.ops().add(*this);
  service_.start(set, object, numbered);
}

void PendingOp::complete(Status how, bool leased, bool writes, Block block) noexcept {
  KRG_DASSERT(waiting_);
  service_.ops().remove(number_);
  waiting_ = false;
  ended(how, leased, writes, std::move(block));
}

void PendingOp::give_up(Error why) noexcept {
  if (!waiting_) return;
  abandon();
  ended(why, false, false, {});
}

void PendingOp::abandon() noexcept {
  if (std::exchange(waiting_, false)) service_.abandon(*set_, object_, number_);
}

Op::~Op() {
  if (leased_) service_.end_lease(*set_, object_, writes_);
}

void Op::begin() noexcept {
  begun_ = true;
  PendingOp::begin(*set_, object_, message_);
}

bool Op::await_ready() noexcept {
  if (!begun_) begin();
  return !waiting();
}

void Op::await_suspend(std::coroutine_handle<> caller) noexcept {
  handle = caller;
  suspended_ = true;
  service_.reactor().add_timer(*this, deadline_);
}

Status Op::await_resume() noexcept {
  leased_ = false;
  return result_;
}

void Op::ended(Status how, bool leased, bool writes, Block block) noexcept {
  result_ = how;
  block_ = std::move(block);
  leased_ = leased;
  writes_ = writes;
  if (!suspended_) return;
  static_cast<reactor::Timer*>(this)->unlink();
  service_.reactor().schedule(*this);
}

void Op::on_timer() noexcept { give_up(Error(Errc::timed_out, "a shared object")); }

std::uint32_t OpTable::add(PendingOp& op) {
  std::uint32_t slot = 0;
  if (free_.empty()) {
    slot = static_cast<std::uint32_t>(slots_.size());
    KRG_ASSERT(slot < std::uint32_t{1} << kSlotBits);
    slots_.push_back({});
  } else {
    slot = free_.back();
    free_.pop_back();
  }
  slots_[slot].op = &op;
  slots_[slot].turn = (slots_[slot].turn + 1) & ((1u << (32 - kSlotBits)) - 1);
  if (slots_[slot].turn == 0) slots_[slot].turn = 1;
  ++size_;
  return slots_[slot].turn << kSlotBits | slot;
}

void OpTable::remove(std::uint32_t number) noexcept {
  if (find(number) == nullptr) return;
  const std::uint32_t slot = number & ((1u << kSlotBits) - 1);
  slots_[slot].op = nullptr;
  free_.push_back(slot);
  --size_;
}

PendingOp* OpTable::find(std::uint32_t number) const noexcept {
  const std::uint32_t slot = number & ((1u << kSlotBits) - 1);
  if (slot >= slots_.size() || slots_[slot].turn != number >> kSlotBits) return nullptr;
  return slots_[slot].op;
}

void OpTable::give_up_all(Error why) noexcept {
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    if (slots_[i].op != nullptr) slots_[i].op->give_up(why);
  }
}

void OpTable::give_up_with_view() noexcept {
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    PendingOp* const op = slots_[i].op;
    if (op != nullptr && op->ends_with_view_) op->give_up(Error(Errc::would_block, "a new view"));
  }
}

void OpTable::give_up_of(const Set& set, Error why) noexcept {
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    PendingOp* const op = slots_[i].op;
    if (op != nullptr && op->set_ == &set) op->give_up(why);
  }
}

}  // namespace krg::kddm
