// meetings.h: a node's part in barriers: its tasks meet here, and the nodes at the home of each.
//
// Model    one notice of a node and round to the home, when as many tasks have come as in the round
//          before, or after a while; one from there when the round is over. A new view has all
//          nodes say again who has come, and its homes ask all members which round was the last:
//          an end that any task may have heard of stands. Who has come and dies stays counted; but
//          for those of a node that is not in the view any more.
// Threads  the reactor's thread.
// Blocks   never; it suspends, until the deadline.
// Source   docs/design/sync.md, "Barriers"; docs/decisions/0014-tasks-meet-at-their-krgd.md
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include "hall.h"
#include "krg/kddm/kddm.h"
#include "krg/reactor/co.h"
#include "krg/rpc/rpc.h"

namespace krg::sync {

class Meetings {
 public:
  Meetings(rpc::Rpc& rpc, kddm::Kddm& kddm);
  Meetings(const Meetings&) = delete;
  Meetings& operator=(const Meetings&) = delete;
  // Requires  the reactor's coroutines have been cancelled.
  ~Meetings();

  // Errors  timed_out  it has not come; or it may have, if the home is not reached for 8 s more
  //         invalid_argument  no parties, or too many words, or others than who wait here have
  //         those of Kddm::home_of()
  Co<Result<calls::Meet::Reply>> meet(calls::Meet::Request request, Deadline deadline);
  // The Kddm may have entered another view.
  void look_at_view();

  // Of this node, that have come and not gone on.
  std::size_t waiting() const noexcept;
  // That this node has told the homes of, since it began.
  std::uint64_t notices() const noexcept { return notices_; }

 private:
  struct Guest;
  struct Group;
  struct House;
  struct Known {
    std::uint64_t done = 0;
    std::vector<std::uint64_t> words;
    std::uint32_t expected = 0;  // How many came here in the last round.
    TimePoint used;
  };

  void serve();
  Epoch view();
  Known& known(const Key& key);
  std::shared_ptr<Group> group_of(const calls::Meet::Request& request);
  Co<void> lead(std::shared_ptr<Group> group);
  Deadline next_notice(const Group& group) const noexcept;
  Co<Status> tell(Group& group);
  void met(const Met::Request& news);
  // --- At the home
  House& house_of(const Key& key);
  void come(const Come::Request& notice);
  void answer(const std::vector<Hall::Answer>& answers);
  Co<void> ask_all(Key key, Epoch epoch);

  rpc::Rpc& rpc_;
  kddm::Kddm& kddm_;
  reactor::Reactor& reactor_;
  const NodeId self_;
  Epoch epoch_;
  std::map<Key, std::shared_ptr<Group>> groups_;  // Whose tasks wait here.
  std::map<Key, Known> known_;
  std::map<Key, std::unique_ptr<House>> houses_;  // Of the meetings whose home this node is.
  std::size_t most_known_;
  std::size_t most_houses_;
  std::uint64_t notices_ = 0;
};

}  // namespace krg::sync
