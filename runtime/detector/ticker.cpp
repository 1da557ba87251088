#include "krg/detector/ticker.h"

namespace krg::detector {

Ticker::Ticker(reactor::Reactor& reactor, Detector& detector, DatagramPort& port)
    : reactor_(reactor), detector_(detector), port_(port) {
  port_.deliver_to(this);
}

Ticker::~Ticker() { port_.deliver_to(nullptr); }

void Ticker::start() { reactor_.add_timer(*this, Deadline(detector_.due())); }

void Ticker::on_timer() noexcept {
  detector_.tick(reactor_.now());
  start();
}

void Ticker::on_datagram(NodeId from, Bytes bytes) noexcept {
  detector_.on_datagram(reactor_.now(), from, bytes);
}

}  // namespace krg::detector
