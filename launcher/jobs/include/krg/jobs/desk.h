// jobs/desk.h: what a client asks of a krgd about the nodes of its cluster; see members.h.
//
// Model    one per client. Frames come in, answers go to the client's connection as long as this
//          lives. A client that does not read its events is told no more of them.
// Threads  owned by the reactor's thread.
// Blocks   never.
// Source   docs/design/hotplug.md, "At the command line"
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "krg/control/connection.h"
#include "krg/jobs/members.h"
#include "krg/node/node.h"

namespace krg::jobs {

class Desk {
 public:
  // Starts krgds that join the cluster, or says how that is to be done.
  using Add = std::function<Co<NodesAdded>(std::vector<std::string>)>;

  Desk(node::Node& node, control::Connection& client, Add add);
  Desk(const Desk&) = delete;
  Desk& operator=(const Desk&) = delete;
  ~Desk();

  // Whether the frame is one for this desk.
  static bool takes(std::uint16_t type) noexcept;
  // Requires  takes(type). False: malformed.
  bool on_frame(std::uint16_t type, wire::Bytes body);

 private:
  void tell_events();
  Co<void> add(std::vector<std::string> hosts, std::weak_ptr<char> alive);
  Co<void> remove(RemoveNode wish, std::weak_ptr<char> alive);

  node::Node& node_;
  control::Connection& client_;
  const Add add_;
  std::shared_ptr<const node::Node::OnEvent> events_;  // Shared with the node, which watches it.
  std::shared_ptr<char> alive_ = std::make_shared<char>();  // Watched by answers under way.
};

}  // namespace krg::jobs
