// late.h: messages to others that nobody waits for yet: they leave in the next turn.
//
// Model    who has got a lease tells the home so, and the home needs it only for the next one who
//          asks. Sent at once it would be dealt with there before what the new lease's user asks
//          for next, and here before that user runs. What is sent meanwhile about the same object
//          to the same node comes after it, as the protocol needs.
// Threads  owned by the reactor's thread.
// Blocks   never.
// Source   docs/design/kddm.md, "Service"
#pragma once

#include <vector>

#include "krg/protocol/step.h"
#include "krg/reactor/reactor.h"
#include "krg/store/ids.h"

namespace krg::kddm {

class Service;
struct Set;

class Late final : public reactor::Poller {
 public:
  explicit Late(Service& service);
  ~Late() override;
  Late(const Late&) = delete;
  Late& operator=(const Late&) = delete;

  // Whether `message`, which comes out of a step with these actions, can be late.
  static bool may_be(const Message& message, const Actions& actions) noexcept;

  void add(Set& set, ObjectId object, NodeId to, const Message& message) {
    // With many leases in a turn nobody waits for the next one alone.
    if (messages_.size() == kMost) [[unlikely]] {
      send_all();
    }
    messages_.push_back({&set, object, to, message});
  }
  // Something about `object` is to be sent to `to` now. Cost: a compare for each that is late.
  void go_before(const Set& set, ObjectId object, NodeId to) noexcept {
    if (!messages_.empty()) [[unlikely]] {
      look(set, object, to);
    }
  }
  // A new view: what is not sent never is.
  void clear() noexcept { messages_.clear(); }

  bool poll() noexcept override;
  bool flush() noexcept override;
  bool arm() noexcept override { return messages_.empty(); }

 private:
  static constexpr std::size_t kMost = 8;

  struct One {
    Set* set;
    ObjectId object;
    NodeId to;
    Message message;
  };

  void look(const Set& set, ObjectId object, NodeId to) noexcept;
  void send_all() noexcept;

  Service& service_;
  std::vector<One> messages_;
  std::vector<One> sending_;  // Keeps its memory for the next time.
  bool due_ = false;          // They are of a turn that is over.
};

}  // namespace krg::kddm
