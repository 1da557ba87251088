// peer.h: both channels between this node and another one, in the present view.
#pragma once

#include <cstdint>

#include "early.h"
#include "krg/base/ids.h"
#include "krg/channel/channels.h"
#include "krg/reactor/timer_wheel.h"
#include "out_queue.h"
#include "transfer.h"

namespace krg::kddm {

struct ChannelPeer final : reactor::Timer,
                           ListNode<struct OwingTag>,
                           ListNode<struct AckNowTag>,
                           ListNode<struct GatheringTag> {
  ChannelPeer(Channels::Impl& c, NodeId n, ChunkPool& pool) : channels(c), node(n), out(pool) {}
  ~ChannelPeer() { drop_transfers(); }

  void on_timer() noexcept override;
  // Empties both channels.
  void reset() noexcept;
  void drop_transfers() noexcept;

  Channels::Impl& channels;
  const NodeId node;
  Incarnation incarnation;
  bool member = false;

  // To the other node: out.first() - 1 is acknowledged, what is above `sent` waits for the window.
  OutQueue out;
  std::uint64_t sent = 0;
  // The first of those that count as sent and wait for the turn's end; 0: none.
  std::uint64_t gathered_from = 0;
  std::size_t in_flight = 0;                       // Bytes, of what is sent and not acknowledged.
  std::uint64_t first_at_look = 0;                 // out.first() when the timer last looked.
  Duration patience{0};                            // Until the next question.
  Transfer* question = nullptr;                    // Under way; one of `transfers`.
  IntrusiveList<Transfer, TransferTag> transfers;  // Owned.

  // From the other node.
  std::uint64_t received = 0;
  Early early;
  std::uint32_t owed = 0;  // Messages since our last acknowledgement.
  bool complained = false;
};

}  // namespace krg::kddm
