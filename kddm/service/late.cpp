#include "late.h"

#include <algorithm>
#include <utility>

#include "service.h"

namespace krg::kddm {

Late::Late(Service& service) : service_(service) { service_.reactor().add_poller(*this); }

Late::~Late() { service_.reactor().remove_poller(*this); }

// Of a step that gives a lease, the report of that: the home answers nobody before it is in, but it
// has nothing to answer yet.
bool Late::may_be(const Message& message, const Actions& actions) noexcept {
  if (message.kind != Kind::done && message.kind != Kind::took) return false;
  return std::any_of(actions.begin(), actions.end(),
                     [](const Action& action) { return action.what == Action::Do::lease; });
}

void Late::look(const Set& set, ObjectId object, NodeId to) noexcept {
  const auto same = [&](const One& one) {
    return one.object == object && one.to == to && one.set == &set;
  };
  if (std::any_of(messages_.begin(), messages_.end(), same)) send_all();
}

void Late::send_all() noexcept {
  // None is before another one of them, and what is sent adds none.
  std::swap(messages_, sending_);
  for (const One& one : sending_) service_.send_late(*one.set, one.object, one.to, one.message);
  sending_.clear();
}

bool Late::poll() noexcept {
  if (!due_) [[likely]] {
    return false;
  }
  due_ = false;
  send_all();
  return true;
}

bool Late::flush() noexcept {
  due_ = !messages_.empty();
  return due_;
}

}  // namespace krg::kddm
