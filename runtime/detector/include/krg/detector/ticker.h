// detector/ticker.h: a detector on a reactor: its timer and its datagrams.
//
// Model    from its construction to its destruction it gives the detector what arrives at the port,
//          and from start() on its ticks.
// Threads  owned by the reactor's thread.
// Blocks   never.
// Source   docs/design/hotplug.md
#pragma once

#include "krg/detector/detector.h"
#include "krg/reactor/reactor.h"

namespace krg::detector {

class Ticker final : private reactor::Timer, private DatagramSink {
 public:
  // Requires  all three outlive this.
  Ticker(reactor::Reactor& reactor, Detector& detector, DatagramPort& port);
  Ticker(const Ticker&) = delete;
  Ticker& operator=(const Ticker&) = delete;
  ~Ticker();

  // Requires  the detector has a view; not called before.
  void start();

 private:
  void on_timer() noexcept override;
  void on_datagram(NodeId from, Bytes bytes) noexcept override;

  reactor::Reactor& reactor_;
  Detector& detector_;
  DatagramPort& port_;
};

}  // namespace krg::detector
