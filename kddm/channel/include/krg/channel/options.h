// channel/options.h: bounds and times of the channels, and what they count.
//
// Model    values.
// Threads  owned by one thread.
// Blocks   never.
// Source   docs/design/kddm.md, "Channels"
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

#include "krg/base/deadline.h"

namespace krg::kddm {

// The same on all nodes: a receiver drops what is beyond its own window.
struct ChannelOptions {
  // Of one peer, sent and not acknowledged; one message is always allowed. A little below the
  // credits that rpc gives, so that messages never queue there.
  std::uint32_t window_messages = 1000;
  std::size_t window_bytes = std::size_t{4} << 20;
  // An acknowledgement that no message carries goes after so many messages or this long.
  std::uint32_t ack_messages = 128;
  Duration ack_delay = std::chrono::milliseconds(2);
  // How long acknowledgements may be missing until the peer is asked; doubles up to the maximum.
  Duration probe_after = std::chrono::milliseconds(5);
  Duration probe_max = std::chrono::milliseconds(500);
  // rpc ends a call when its connection ends, which tells that a message may be lost. These are for
  // a peer that keeps its connection and does not answer: a question, and a large message.
  Duration question_limit = std::chrono::seconds(10);
  Duration large_limit = std::chrono::seconds(60);
  // Of all peers together, messages of views that are still to come.
  std::uint32_t later_messages = 16384;
  std::size_t later_bytes = std::size_t{64} << 20;
};

// Since the beginning. Messages, unless it says otherwise.
struct ChannelStats {
  std::uint64_t sent = 0;         // By send(), to members.
  std::uint64_t delivered = 0;    // To the sink.
  std::uint64_t not_members = 0;  // By send(), to nobody in the view: dropped.
  std::uint64_t large = 0;        // Sent by themselves, as bulk data; repetitions counted.
  std::uint64_t bundles = 0;      // Calls that carried several,
  std::uint64_t bundled = 0;      // and the messages in them.
  std::uint64_t resent = 0;
  std::uint64_t acks = 0;    // Frames that carried nothing else.
  std::uint64_t probes = 0;  // Questions what the peer has received.
  std::uint64_t duplicates = 0;
  std::uint64_t early = 0;          // Came before an earlier one and were held.
  std::uint64_t beyond = 0;         // Came too early to be held: dropped, to be sent again.
  std::uint64_t old = 0;            // Of an older epoch: dropped.
  std::uint64_t strangers = 0;      // Of this epoch, not from a member's present life: dropped.
  std::uint64_t later = 0;          // Of a later epoch: held.
  std::uint64_t later_dropped = 0;  // Of a later epoch, beyond the bound: dropped.
  std::uint64_t malformed = 0;
};

}  // namespace krg::kddm
