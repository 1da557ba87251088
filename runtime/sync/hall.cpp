#include "hall.h"

#include <algorithm>

namespace krg::sync {

void Hall::learn(std::uint64_t done, const std::vector<std::uint64_t>& words) {
  if (done <= done_) return;
  done_ = done;
  words_ = words;
}

Met::Request Hall::past(const Come::Request& notice) const {
  const auto at = told_.find(notice.node);
  if (at != told_.end() && at->second.round == notice.round) {
    Met::Request answer = at->second;
    answer.done = done_;
    return answer;
  }
  // A home of an earlier view has counted what it was told then, if anything.
  Met::Request answer;
  answer.epoch = notice.epoch;
  answer.key = notice.key;
  answer.round = notice.round;
  answer.over = true;
  answer.sent = notice.before;
  answer.count = notice.before != 0 ? 0xffffffff : 0;
  answer.done = done_;
  if (notice.round == done_) answer.words = words_;
  return answer;
}

Met::Request Hall::going_on(const Come::Request& notice) const {
  Met::Request answer;
  answer.epoch = notice.epoch;
  answer.key = notice.key;
  answer.round = done_ + 1;
  answer.sent = notice.sent;
  answer.done = done_;
  return answer;
}

std::vector<Hall::Answer> Hall::come(const Come::Request& notice) {
  if (notice.round != 0 && notice.round <= done_) return {{notice.node, past(notice)}};
  // It has heard the end of a round that nobody else here has.
  if (notice.round > done_ + 1) {
    done_ = notice.round - 1;
    words_.clear();
    here_.clear();
  }
  // Counted, it could not tell later whether the round that ends is the one that it has come to.
  if (notice.round == 0) return {{notice.node, going_on(notice)}};
  Here& here = here_[notice.node];
  if (notice.sent >= here.sent) here = {notice.sent, notice.count, notice.words};
  if (here.count == 0) here_.erase(notice.node);
  std::uint64_t all = 0;
  for (const auto& [node, has] : here_) all += has.count;
  if (notice.parties != 0 && all >= notice.parties) return end(notice, all);
  if (!notice.ask) return {};
  return {{notice.node, going_on(notice)}};
}

std::vector<Hall::Answer> Hall::end(const Come::Request& last, std::uint64_t all) {
  words_.clear();
  for (const auto& [node, has] : here_) combine_into(last.reduce, words_, has.words);
  ++done_;
  std::vector<Answer> answers;
  for (const auto& [node, has] : here_) {
    Met::Request answer;
    answer.epoch = last.epoch;
    answer.key = last.key;
    answer.round = answer.done = done_;
    answer.over = true;
    answer.last = node == last.node;
    answer.sent = has.sent;
    // More have come than are to meet: those of the last notice wait for the next round.
    answer.count = has.count;
    if (answer.last) {
      answer.count -=
          static_cast<std::uint32_t>(std::min<std::uint64_t>(all - last.parties, has.count));
    }
    answer.words = words_;
    told_[node] = answer;
    answers.emplace_back(node, answer);
  }
  here_.clear();
  return answers;
}

}  // namespace krg::sync
