// messages.h: what movers say to each other over their streams.
//
// Model    frames of control::Connection. The home stream leads from the home mover to the task's
//          host mover and lives as long as the task is there; the source stream leads to the host
//          from where the task comes, and ends when all its pages have arrived.
// Threads  immutable.
// Blocks   never.
// Source   docs/design/epm.md, "A move, step by step"
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "krg/base/ids.h"
#include "krg/epm/image.h"
#include "machine.h"

namespace krg::epm {

// --- Home stream, to the host ---
// Run. The one word that makes the copy the task.
struct Commit {
  static constexpr std::uint16_t kFrame = 1;
  static void wire_fields(auto&, auto&& visit) { visit(); }
};
// A signal for the task.
struct Deliver {
  static constexpr std::uint16_t kFrame = 2;
  SignalInfo info{};
  bool to_leader = false;  // To its first thread, not to the process.
  static void wire_fields(auto& m, auto&& visit) { visit(m.info, m.to_leader); }
};
// Stand still and send yourself to the host mover of that token. Answered by Failed if that can not
// be; else by the new host's Ready.
struct Leave {
  static constexpr std::uint16_t kFrame = 3;
  NodeId node;
  std::uint64_t token = 0;
  bool eager = false;
  static void wire_fields(auto& m, auto&& visit) { visit(m.node, m.token, m.eager); }
};
// The new host is ready: give up what has not been delivered. Answered by Released.
struct Release {
  static constexpr std::uint16_t kFrame = 4;
  static void wire_fields(auto&, auto&& visit) { visit(); }
};
// The new host is not: go on.
struct Resume {
  static constexpr std::uint16_t kFrame = 5;
  static void wire_fields(auto&, auto&& visit) { visit(); }
};
struct AskProblems {
  static constexpr std::uint16_t kFrame = 6;
  static void wire_fields(auto&, auto&& visit) { visit(); }
};

// --- Home stream, to home ---
struct Hello {
  static constexpr std::uint16_t kFrame = 16;
  std::uint64_t token = 0;
  Machine machine;
  static void wire_fields(auto& m, auto&& visit) { visit(m.token, m.machine); }
};
struct Ready {
  static constexpr std::uint16_t kFrame = 17;
  static void wire_fields(auto&, auto&& visit) { visit(); }
};
// This host can not take the task; or, after Leave, can not let it go.
struct Failed {
  static constexpr std::uint16_t kFrame = 18;
  std::string complaint;
  std::vector<std::string> problems;
  static void wire_fields(auto& m, auto&& visit) { visit(m.complaint, m.problems); }
};
struct Released {
  static constexpr std::uint16_t kFrame = 19;
  // Of each relay: what the task has not read.
  std::vector<std::pair<std::uint64_t, std::vector<std::byte>>> unread;
  std::uint64_t frozen_at_us = 0;  // By CLOCK_REALTIME.
  static void wire_fields(auto& m, auto&& visit) { visit(m.unread, m.frozen_at_us); }
};
// The task runs; since when it stood still is for the source to say.
struct Runs {
  static constexpr std::uint16_t kFrame = 20;
  std::uint64_t at_us = 0;
  static void wire_fields(auto& m, auto&& visit) { visit(m.at_us); }
};
// All its pages are here.
struct Whole {
  static constexpr std::uint16_t kFrame = 21;
  static void wire_fields(auto&, auto&& visit) { visit(); }
};
struct Exited {
  static constexpr std::uint16_t kFrame = 22;
  std::int32_t status = 0;  // As wait(2) has it.
  static void wire_fields(auto& m, auto&& visit) { visit(m.status); }
};
struct Problems {
  static constexpr std::uint16_t kFrame = 23;
  std::vector<std::string> problems;
  static void wire_fields(auto& m, auto&& visit) { visit(m.problems); }
};

// --- Home stream, both ways: relayed files; see relay.h ---
struct RelayData {
  static constexpr std::uint16_t kFrame = 32;
  std::uint64_t relay = 0;
  std::vector<std::byte> bytes;
  static void wire_fields(auto& m, auto&& visit) { visit(m.relay, m.bytes); }
};
struct RelayTaken {
  static constexpr std::uint16_t kFrame = 33;
  std::uint64_t relay = 0;
  std::uint64_t bytes = 0;
  static void wire_fields(auto& m, auto&& visit) { visit(m.relay, m.bytes); }
};
struct RelayEnd {
  static constexpr std::uint16_t kFrame = 34;
  std::uint64_t relay = 0;
  bool broken = false;  // Nobody reads any more; else: nobody writes any more.
  static void wire_fields(auto& m, auto&& visit) { visit(m.relay, m.broken); }
};

// --- Source stream, to the host ---
struct Begin {
  static constexpr std::uint16_t kFrame = 48;
  Image image;
  bool eager = false;  // All pages come before Prepared.
  static void wire_fields(auto& m, auto&& visit) { visit(m.image, m.eager); }
};
// Whole pages, in order from `address` on. Its body is made by hand: the address, then the pages.
inline constexpr std::uint16_t kPagesFrame = 49;
// What the task can not begin without has been sent.
struct Prepared {
  static constexpr std::uint16_t kFrame = 50;
  static void wire_fields(auto&, auto&& visit) { visit(); }
};
// --- Source stream, to the source ---
// Someone waits for these.
struct Want {
  static constexpr std::uint16_t kFrame = 64;
  std::uint64_t address = 0;
  std::uint32_t pages = 0;
  static void wire_fields(auto& m, auto&& visit) { visit(m.address, m.pages); }
};
// All are here: the source is not needed any more.
struct Complete {
  static constexpr std::uint16_t kFrame = 65;
  static void wire_fields(auto&, auto&& visit) { visit(); }
};

}  // namespace krg::epm
