// testing/peer_player.h: plays a PeerRole on a fabric.
//
// Model    the EventSink of a remote node of the conformance suite.
// Threads  owned by the fabric's thread.
// Blocks   never.
// Source   krg/testing/stage.h
#pragma once

#include <deque>
#include <list>
#include <memory>
#include <unordered_map>
#include <vector>

#include "krg/fabric/fabric.h"
#include "krg/testing/pattern.h"
#include "krg/testing/stage.h"

namespace krg::testing {

class PeerPlayer final : public fabric::EventSink {
 public:
  PeerPlayer(PeerRole role, Incarnation incarnation);
  ~PeerPlayer() override;
  // Once, after the fabric is open.
  Status begin(fabric::Fabric& fabric);
  // Before the fabric is closed.
  void end() { region_.reset(); }

  void on_up(fabric::Endpoint& endpoint) override;
  void on_message(fabric::Endpoint& from, std::span<const std::byte> content) override;
  void on_large(fabric::Endpoint& from, std::span<const std::byte> header,
                fabric::LargeMessage& message) override;
  void on_writable(fabric::Endpoint& endpoint) override;
  void on_down(fabric::Endpoint& endpoint, Error why, bool graceful) override;
  void on_connect_failed(NodeId node, Error why) override;

 private:
  struct Reply;
  struct Peer;
  Peer& peer(fabric::Endpoint& endpoint);
  void queue(Peer& peer, std::span<const std::byte> front, Bytes data, bool is_large);
  void send(Peer& peer);

  const PeerRole role_;
  const Incarnation incarnation_;
  Bytes memory_;
  std::unique_ptr<fabric::Region> region_;
  std::unordered_map<fabric::Endpoint*, std::unique_ptr<Peer>> peers_;
  std::vector<std::unique_ptr<Peer>> gone_;
};

}  // namespace krg::testing
