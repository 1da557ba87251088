// testing/recorder.h: an EventSink that writes down what it is told.
//
// Model    one Link per connection ever made, in order of on_up; it outlives the endpoint. What
// arrives is
//          kept in order of arrival, large messages at the place of their header. The order that
//          EventSink promises (on_up, messages, on_down once) is checked on the way.
// Threads  owned by the fabric's thread.
// Blocks   never.
// Source   krg/fabric/event_sink.h
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <vector>

#include "krg/fabric/event_sink.h"
#include "krg/testing/pattern.h"

namespace krg::testing {

// A Completion that counts how often it is told.
class Told final : public fabric::Completion {
 public:
  void on_complete(Status status) noexcept override {
    ++count_;
    status_ = status;
  }
  bool once() const noexcept { return count_ == 1; }
  unsigned count() const noexcept { return count_; }
  const Status& status() const noexcept { return status_; }

 private:
  unsigned count_ = 0;
  Status status_;
};

// One message that came.
struct Arrived {
  bool is_large = false;
  Bytes content;  // Of a small message; the header of a large one.
  Bytes data;     // Of a large one, whole once `received` is told.
  Told received;
  fabric::LargeMessage* held = nullptr;

  bool whole() const noexcept { return !is_large || received.once(); }
};

struct Link {
  fabric::Endpoint* endpoint = nullptr;  // nullptr once it is down.
  fabric::Identity peer;
  std::vector<std::unique_ptr<Arrived>> arrived;
  unsigned writable = 0;
  bool down = false, graceful = false;
  Error why;

  bool up() const noexcept { return endpoint != nullptr; }
  bool all_whole() const noexcept;
};

class Recorder final : public fabric::EventSink {
 public:
  enum class OnLarge { receive, hold, discard };
  OnLarge on_large_message = OnLarge::receive;
  // If set, is given every small message instead of it being kept.
  std::function<void(Link&, std::span<const std::byte>)> on_small;

  std::deque<Link> links;
  struct ConnectFailure {
    NodeId node;
    Error why;
  };
  std::vector<ConnectFailure> failures;

  // The newest connection with `node` if it is up, else nullptr.
  Link* link(NodeId node) noexcept;
  // How many connections are up.
  std::size_t up_count() const noexcept;

  static void receive(Arrived& message);
  static void discard(Arrived& message);

  void on_up(fabric::Endpoint& endpoint) override;
  void on_message(fabric::Endpoint& from, std::span<const std::byte> content) override;
  void on_large(fabric::Endpoint& from, std::span<const std::byte> header,
                fabric::LargeMessage& message) override;
  void on_writable(fabric::Endpoint& endpoint) override;
  void on_down(fabric::Endpoint& endpoint, Error why, bool graceful) override;
  void on_connect_failed(NodeId node, Error why) override;
};

}  // namespace krg::testing
