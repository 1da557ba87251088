// ask.h: a question to a krgd of this user, and its answer.
#pragma once

#include <string>
#include <string_view>

#include "krg/control/connection.h"
#include "krg/error/result.h"
#include "krg/wire/codec.h"

namespace krg::krgadm {

// Where to look for the cluster, and what a failed question is told about.
struct Target {
  std::string runtime_dir;
  std::string cluster;  // "" = the only one
};

// Sends the frame `question` to the cluster's krgd on this machine and gives the body of its answer
// of the frame type `answer`. On failure `complaint` is one line that says what to do.
// Blocks  until the answer, at most 10 s.
Result<std::vector<std::byte>> ask(const Target& target, std::uint16_t question,
                                   std::uint16_t answer, std::string& complaint);

template <control::Framed Answer, control::Framed Question>
Result<Answer> ask(const Target& target, const Question&, std::string& complaint) {
  static_assert(std::is_empty_v<Question>);
  KRG_TRY_ASSIGN(const auto body, ask(target, Question::kFrame, Answer::kFrame, complaint));
  auto decoded = wire::decode<Answer>(body);
  if (!decoded) complaint = "the krgd answered with damaged bytes: is it of the same version?";
  return decoded;
}

}  // namespace krg::krgadm
