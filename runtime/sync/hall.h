// hall.h: a meeting at its home: who has come in this round, of which node.
//
// Model    rounds are counted from 1. A node says how many of its tasks have come, all together,
//          in notices that it numbers; a later one stands in place of an earlier one. When all
//          have come the round is over, and each node is told which of its notices was counted.
//          That is kept until the node comes again, so that a notice that was sent once more gets
//          the same answer.
// Threads  the reactor's thread.
// Blocks   never.
// Source   docs/design/sync.md, "Barriers"
#pragma once

#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "messages.h"

namespace krg::sync {

class Hall {
 public:
  using Answer = std::pair<NodeId, Met::Request>;

  // What is known of rounds of earlier views; the latest counts.
  void learn(std::uint64_t done, const std::vector<std::uint64_t>& words);
  // What is to be said now, and to whom: nothing, an answer, or to all that the round is over.
  std::vector<Answer> come(const Come::Request& notice);

  std::uint64_t done() const noexcept { return done_; }
  const std::vector<std::uint64_t>& words() const noexcept { return words_; }
  bool empty() const noexcept { return here_.empty(); }

 private:
  struct Here {
    std::uint64_t sent = 0;
    std::uint32_t count = 0;
    std::vector<std::uint64_t> words;
  };
  // Of a round that is over.
  Met::Request past(const Come::Request& notice) const;
  Met::Request going_on(const Come::Request& notice) const;
  std::vector<Answer> end(const Come::Request& last, std::uint64_t all);

  std::uint64_t done_ = 0;            // The last round that is over,
  std::vector<std::uint64_t> words_;  // and what it gave.
  std::map<NodeId, Here> here_;       // Of the present one.
  std::map<NodeId, Met::Request> told_;
};

}  // namespace krg::sync
