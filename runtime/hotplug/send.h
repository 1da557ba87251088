// How a message leaves.
#pragma once

#include "core_impl.h"

namespace krg::hotplug {

template <class Body>
void Core::Impl::send(Kind kind, NodeId to, Incarnation life, const Body& body) {
  if (over_ || to == me_.node) return;
  const Header header{kind, me_, life};
  std::vector<std::byte> bytes(wire::encoded_size(header) + wire::encoded_size(body));
  wire::Encoder out{bytes};
  wire::put(out, header);
  wire::put(out, body);
  sink_.send(to, bytes);
}

template <class Body>
void Core::Impl::send_to(Kind kind, NodeId member, const Body& body) {
  const Record* const record = roster_.find(member);
  if (record != nullptr) send(kind, member, record->member.incarnation, body);
}

}  // namespace krg::hotplug
