// channel/channels.h: messages between the members of a view, exactly once and in order.
//
// Model    from each member to each other one there is a channel: what is sent by it arrives once,
//          in the order of sending, whatever connections do, as long as both stay in the view. A
//          new view empties all channels: what is not delivered by then never is. A message is a
//          short head and an object's bytes, or no such. Messages to the own node take part.
// Threads  owned by the reactor's thread.
// Blocks   never.
// Source   docs/design/kddm.md, "Channels"
#pragma once

#include <cstddef>
#include <memory>

#include "krg/channel/data.h"
#include "krg/channel/options.h"
#include "krg/cluster/view.h"
#include "krg/rpc/rpc.h"

namespace krg::kddm {

// Who takes what arrives.
class ChannelSink {
 public:
  // A message of `from`, sent in `epoch`, which is the present one. `head` is valid until this
  // returns or set_view() is called, and so is `data`, of which a buffer can be taken. Never called
  // from send() or set_view(), either of which may be called from here.
  virtual void on_message(NodeId from, Epoch epoch, wire::Bytes head, Arrived data) = 0;

 protected:
  ~ChannelSink() = default;
};

class Channels {
 public:
  // The longest head.
  static constexpr std::size_t kHeadMax = 2048;
  // Heads and data that are not longer together travel as small messages, many in a batch of rpc.
  static constexpr std::size_t kSmallMax = 8000;
  // Messages with data of such lengths are gathered until the turn's end, and with them all that
  // follows: what there is then for one node goes in bundles. Fewer bytes go faster one by one.
  static constexpr std::size_t kGatheredMin = 1024;
  static constexpr std::size_t kGatheredMax = std::size_t{64} << 10;
  static constexpr std::size_t kBundleBytesMin = std::size_t{12} << 10;
  static constexpr std::size_t kBundleBytesMax = std::size_t{1} << 20;
  static constexpr std::size_t kBundleMessagesMax = 512;

  // Serves three services of `rpc`, whose reactor it polls with. Empty until the first set_view().
  // Requires  one for each Rpc; destroyed before it, when it makes no more turns.
  Channels(rpc::Rpc& rpc, ChannelSink& sink, ChannelOptions options = {});
  ~Channels();
  Channels(const Channels&) = delete;
  Channels& operator=(const Channels&) = delete;

  // From now on messages go between the members of `view`. Drops what older views have left; what
  // has come of this one already is delivered in a later step of the reactor.
  // Requires  view.epoch > epoch().
  void set_view(const cluster::View& view);
  // Of the last view; 0 before.
  Epoch epoch() const noexcept;

  // Sends a message, by the end of the turn; beyond the window it waits here. To a node that is no
  // member: drops it.
  // Requires  head.size() <= kHeadMax. The data's bytes are borrowed only if they are copied.
  // Cost      no allocation at rest for small ones; a copy of the head, and of data without owner.
  void send(NodeId to, wire::Bytes head, Data data = {});

  // Messages to others that are not acknowledged, and those to the own node not delivered: 0 at
  // rest.
  std::size_t unacknowledged() const noexcept;
  const ChannelStats& stats() const noexcept;

  class Impl;

 private:
  const std::unique_ptr<Impl> impl_;
};

}  // namespace krg::kddm
