#include "packet.h"

namespace krg::ofi {

Packet& PacketPool::take() {
  if (free_.empty()) free_.push_back(*all_.emplace_back(std::make_unique<Packet>()));
  return free_.pop_front();
}

}  // namespace krg::ofi
