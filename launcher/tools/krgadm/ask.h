// ask.h: a question to a krgd of this user, and its answers.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "krg/cli/parse.h"
#include "krg/config/environment.h"
#include "krg/control/connection.h"
#include "krg/error/result.h"
#include "krg/settings/settings.h"
#include "krg/wire/codec.h"

namespace krg::krgadm {

// Where to look for the cluster, and what a failed question is told about.
struct Target {
  std::string runtime_dir;
  std::string cluster;  // "" = the only one
};

// As --cluster, or else the settings, and the environment say.
Target target_of(const cli::Arguments& args, const config::Environment& environment,
                 const settings::Settings& settings);
// The same, of a tool that needs neither of the two for anything else.
Target target_of(const cli::Arguments& args);

inline constexpr std::chrono::seconds kPatience{10};

// Sees every frame that comes; true: that was the last one to wait for.
using Heard = std::function<bool(std::uint16_t type, wire::Bytes body)>;

// Sends the frame `question` to the cluster's krgd on this machine and hears its answers. On
// failure `complaint` is one line that says what to do. Without `patience` there is no end of it.
// Blocks  until heard() is satisfied, or the patience is over.
Status converse(const Target& target, std::uint16_t question, wire::Bytes body,
                std::optional<std::chrono::milliseconds> patience, const Heard& heard,
                std::string& complaint);

// The body of the first answer of the frame type `answer`.
Result<std::vector<std::byte>> ask(const Target& target, std::uint16_t question, wire::Bytes body,
                                   std::uint16_t answer,
                                   std::optional<std::chrono::milliseconds> patience,
                                   std::string& complaint);

template <control::Framed Answer, control::Framed Question>
Result<Answer> ask(const Target& target, const Question& question, std::string& complaint,
                   std::chrono::milliseconds patience = kPatience) {
  const std::vector<std::byte> bytes = wire::encode(question);
  KRG_TRY_ASSIGN(const auto body,
                 ask(target, Question::kFrame, bytes, Answer::kFrame, patience, complaint));
  auto decoded = wire::decode<Answer>(body);
  if (!decoded) complaint = "the krgd answered with damaged bytes: is it of the same version?";
  return decoded;
}

}  // namespace krg::krgadm
