// One input to one part: what every rule sees, and how it sends.
#pragma once

#include <algorithm>

#include "krg/protocol/part.h"

namespace krg::kddm {

enum class Step : std::uint8_t { done, wait, impossible };

struct Turn {
  const Place& place;
  Part& part;
  const Message& in;
  Actions& out;
  bool& wake;        // What waits in the part may be possible now.
  const char*& why;  // Of Step::impossible.

  Holder& holder() const noexcept { return part.holder; }
  Home& home() const noexcept { return part.home; }
  // How many nodes can have a copy at all, of those that the set wants.
  unsigned copies_wanted() const noexcept {
    return static_cast<unsigned>(std::min<std::size_t>(place.copies, place.members->size()));
  }

  Step impossible(const char* text) const noexcept {
    why = text;
    return Step::impossible;
  }
  void send(NodeId to, Message message) const {
    message.from = place.self;
    message.epoch = place.epoch;
    out.push_back({Action::Do::send, to, message});
  }
  void answer(NodeId to, Answer status, std::uint16_t flags = 0) const {
    send(to, {.kind = Kind::answer, .status = status, .flags = flags});
  }
  // Tells the home what this node has now.
  void report_done(Copy copy, std::uint16_t flags = 0) const {
    send(place.home, {.kind = Kind::done, .copy = copy, .flags = flags, .node = place.self});
  }
  void act(Action::Do what, std::uint32_t op = 0, std::uint16_t flags = 0,
           Answer status = Answer::ok) const {
    out.push_back({what, kNoNode, {.status = status, .flags = flags, .op = op}});
  }
};

}  // namespace krg::kddm
