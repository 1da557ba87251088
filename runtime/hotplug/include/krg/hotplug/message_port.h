// hotplug/message_port.h: how membership's messages travel between two krgd.
//
// Model    best effort: a message arrives once or never, whole, and in any order. Membership asks
//          again for what it needs. The port proves who is who; a message says so itself.
// Threads  the reactor's thread.
// Blocks   never.
// Source   docs/design/hotplug.md, "Messages"
#pragma once

#include "krg/cluster/view.h"
#include "krg/wire/codec.h"

namespace krg::hotplug {

class MessagePort {
 public:
  virtual ~MessagePort() = default;
  virtual void send(NodeId to, wire::Bytes message) = 0;
  // Where a node is reached, by messages and by datagrams; replaces what was known of it.
  virtual void reach(const cluster::Member& member) = 0;
};

// A message where the port is krg's rpc: nobody waits for an answer.
struct MembershipMessage {
  static constexpr ServiceId kId{0x24};
  static constexpr const char* kName = "hotplug.message";
  struct Request {
    wire::Bytes bytes;
    static void wire_fields(auto& m, auto&& visit) { visit(m.bytes); }
  };
  using Reply = wire::Empty;
};

}  // namespace krg::hotplug
