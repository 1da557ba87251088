#include "krg/jobs/client.h"

#include "krg/jobs/members.h"
#include "krg/moves/client.h"

namespace krg::jobs {

std::string frame_name(std::uint16_t type) {
  switch (type) {
    case Run::kFrame:
      return "run";
    case Input::kFrame:
      return "input";
    case Signal::kFrame:
      return "signal";
    case Stop::kFrame:
      return "stop";
    case AskNodes::kFrame:
      return "ask_nodes";
    case AskStats::kFrame:
      return "ask_stats";
    case AskMemory::kFrame:
      return "ask_memory";
    case AllMemory::kFrame:
      return "all_memory";
    case AskLocks::kFrame:
      return "ask_locks";
    case AllLocks::kFrame:
      return "all_locks";
    case EndCluster::kFrame:
      return "end_cluster";
    case AreYouThere::kFrame:
      return "are_you_there";
    case IAmHere::kFrame:
      return "i_am_here";
    case Started::kFrame:
      return "started";
    case Output::kFrame:
      return "output";
    case RankEnded::kFrame:
      return "rank_ended";
    case InputTaken::kFrame:
      return "input_taken";
    case Notice::kFrame:
      return "notice";
    case Ended::kFrame:
      return "ended";
    case RankStarted::kFrame:
      return "rank_started";
    case Grown::kFrame:
      return "grown";
    case Nodes::kFrame:
      return "nodes";
    case AllStats::kFrame:
      return "all_stats";
    case AskEvents::kFrame:
      return "ask_events";
    case AddNodes::kFrame:
      return "add_nodes";
    case RemoveNode::kFrame:
      return "remove_node";
    case NodeChanged::kFrame:
      return "node_changed";
    case AllTold::kFrame:
      return "all_told";
    case NodesAdded::kFrame:
      return "nodes_added";
    case NodeRemoved::kFrame:
      return "node_removed";
    case moves::AskMove::kFrame:
      return "ask_move";
    case moves::Moved::kFrame:
      return "moved";
    default:
      return "";
  }
}

}  // namespace krg::jobs
