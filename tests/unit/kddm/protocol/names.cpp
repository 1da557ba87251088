// What a trace says.
#include <string>

#include "world.h"

namespace krg::kddm::check {

const char* name_of(Mutant mutant) { return kMutantNames[static_cast<std::size_t>(mutant)]; }

std::string describe(const Message& message) {
  static constexpr std::pair<Flag, const char*> kFlags[] = {
      {kTry, "try"},       {kNoTouch, "no-touch"}, {kForWrite, "write"},
      {kCreate, "create"}, {kPushed, "pushed"},    {kKeep, "keep"},
      {kExists, "exists"}, {kAgain, "again"},      {kNoFreeze, "no-freeze"},
      {kNoted, "noted"}};
  std::string text = (is_op(message.kind) ? "op " : "") + std::string(kddm::name_of(message.kind));
  std::string inside;
  for (const auto& [flag, name] : kFlags) {
    if (message.has(flag)) inside += std::string(inside.empty() ? "" : " ") + name;
  }
  if (message.kind == Kind::answer) inside = std::string(kddm::name_of(message.status));
  if (message.kind == Kind::done || message.kind == Kind::report) {
    inside += " has " + std::string(kddm::name_of(message.copy));
  }
  if (!inside.empty()) text += "(" + inside + ")";
  if (message.node != kNoNode) text += " for " + std::to_string(message.node.value);
  if (message.count != 0) text += " acks " + std::to_string(message.count);
  if (message.version != 0) text += " version " + std::to_string(message.version);
  if (message.from != kNoNode) text += " from " + std::to_string(message.from.value);
  return text + " @" + std::to_string(message.epoch.value);
}

std::string World::describe(Move move) const {
  using Type = Move::Type;
  const std::string node = "node " + std::to_string(move.a);
  switch (move.type) {
    case Type::deliver:
    case Type::overtake:
      return (move.type == Type::deliver ? "deliver " : "overtake data ") + std::to_string(move.a) +
             " -> " + std::to_string(move.b) + " object " + std::to_string(move.c);
    case Type::issue:
      return node + " wants to " + kOps[move.c / kObjects].name + " object " +
             std::to_string(move.c % kObjects);
    case Type::put:
      return node + " puts";
    case Type::fill:
      return node + " has filled object " + std::to_string(move.b);
    case Type::unfill:
      return node + " can not fill object " + std::to_string(move.b);
    case Type::kill:
      return node + " dies";
    case Type::leave:
      return node + " leaves";
    case Type::join:
      return node + " joins";
    case Type::view:
      return node + " enters view " + std::to_string(move.b);
  }
  return "?";
}

std::string World::describe() const {
  std::string text;
  for (unsigned n = 0; n < config_.nodes; ++n) {
    const Node& node = nodes_[n];
    text += "   node " + std::to_string(n) + (node.alive ? "" : " (dead)") + " view " +
            std::to_string(node.epoch);
    for (unsigned o = 0; o < config_.objects; ++o) {
      const Part& part = node.parts[o];
      const Home& home = part.home;
      text += " | " + std::string(kddm::name_of(part.holder.copy)) + " value " +
              std::to_string(node.values[o]) + " asks " +
              std::string(kddm::name_of(part.holder.asks));
      if (home.state == HomeState::away) continue;
      text += ", home " + std::string(kddm::name_of(home.state)) + " " +
              std::string(kddm::name_of(home.phase)) + " pending " + std::to_string(home.pending) +
              " copies";
      home.copies.for_each([&](NodeId c) { text += " " + std::to_string(c.value); });
      text += " spares";
      home.spares.for_each([&](NodeId c) { text += " " + std::to_string(c.value); });
    }
    text += "\n";
  }
  return text;
}

}  // namespace krg::kddm::check
