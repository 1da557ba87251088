#include "history.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <string_view>

namespace krg::kddm_sim {
namespace {

std::string_view name_of(OpKind kind) {
  static constexpr std::string_view kNames[] = {"get", "grab", "put", "remove", "sync", "flush"};
  return kNames[static_cast<std::size_t>(kind)];
}

std::string_view name_of(Outcome outcome) {
  static constexpr std::string_view kNames[] = {"ok", "absent", "lost", "busy", "unknown"};
  return kNames[static_cast<std::size_t>(outcome)];
}

std::string describe_step(Step step) { return step == kNever ? "..." : std::to_string(step); }

}  // namespace

std::string describe(Value value) {
  if (value == kZeros) return "zeros";
  if (value == kAbsent) return "absent";
  if (value == kLost) return "lost";
  return std::to_string(value);
}

std::string describe(const Op& op) {
  std::string text = fmt::format("[{}, {}] life {}: {} {}", op.invoked, describe_step(op.returned),
                                 op.life, name_of(op.kind), name_of(op.outcome));
  if (op.kind == OpKind::put) {
    text += fmt::format(", {} -> {}", describe(op.seen), describe(op.wrote));
  } else if (op.seen != kAbsent) {
    text += fmt::format(", saw {}", describe(op.seen));
  }
  if ((op.kind == OpKind::get || op.kind == OpKind::grab) && !op.touch) text += ", no touch";
  if (op.repeated) text += ", repeated";
  return text;
}

std::string describe(const Failure& failure) {
  return fmt::format("[{}, {}] lives {} fail{}{}", failure.at, describe_step(failure.until),
                     fmt::join(failure.lives, ", "), failure.may_lose ? ", may lose" : "",
                     failure.may_forget ? ", may forget" : "");
}

std::string describe(const History& history) {
  std::string text = fmt::format("copies {}\n", history.copies);
  for (const Op& op : history.ops) text += "  " + describe(op) + "\n";
  for (const Failure& failure : history.failures) text += "  " + describe(failure) + "\n";
  return text;
}

}  // namespace krg::kddm_sim
