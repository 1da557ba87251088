// detector/messages.h: what the detector's datagrams say.
//
// Model    a datagram is one byte of kind and one message. A probe asks; an ack echoes the probe,
//          and so proves that the subject was alive after `stamp`. A report is the whole of what an
//          observer holds against others, so that the next one replaces it and none must arrive. A
//          hint tells a subject's observers that somebody's fabric has lost it.
// Threads  safe.
// Blocks   never.
// Source   docs/design/hotplug.md, "Datagrams"
#pragma once

#include <cstdint>
#include <optional>
#include <variant>
#include <vector>

#include "krg/detector/port.h"
#include "krg/detector/rings.h"
#include "krg/wire/codec.h"

namespace krg::detector {

// Why a node is accused: it does not answer, or the fabric says that it is gone.
enum class Reason : std::uint8_t { silent = 1, fabric = 2 };

struct Probe {
  Incarnation observer;  // The life of the one who asks, and of the one who is asked.
  Incarnation subject;
  std::uint64_t stamp_ns = 0;  // The observer's clock when it asked.
  bool operator==(const Probe&) const = default;
  static void wire_fields(auto& m, auto&& visit) { visit(m.observer, m.subject, m.stamp_ns); }
};

struct Ack {
  Probe probe;
  bool operator==(const Ack&) const = default;
  static void wire_fields(auto& m, auto&& visit) { visit(m.probe); }
};

struct Charge {
  NodeId subject;
  Incarnation incarnation;
  Reason reason = Reason::silent;
  bool operator==(const Charge&) const = default;
  static void wire_fields(auto& m, auto&& visit) { visit(m.subject, m.incarnation, m.reason); }
};

// Most charges of one report: an observer charges its subjects, one for each ring.
inline constexpr std::size_t kChargesMax = kRings;

struct Report {
  Epoch epoch;
  Incarnation observer;
  std::uint64_t number = 0;  // Of reports of this life; a report replaces those of lower numbers.
  std::vector<Charge> charges;
  bool operator==(const Report&) const = default;
  static void wire_fields(auto& m, auto&& visit) {
    visit(m.epoch, m.observer, m.number, m.charges);
  }
};

struct Hint {
  Epoch epoch;
  Charge charge;
  bool operator==(const Hint&) const = default;
  static void wire_fields(auto& m, auto&& visit) { visit(m.epoch, m.charge); }
};

using Message = std::variant<Probe, Ack, Report, Hint>;

inline constexpr std::size_t kDatagramMax = 1 + 4 + 4 + 8 + 4 + kChargesMax * 9;

// Requires  a report has at most kChargesMax charges.
std::vector<std::byte> encode(const Message& message);
// Errors  protocol_error  unknown kind, too few bytes or too many, too many charges, a reason or a
//                         node that can not be.
Result<Message> decode(Bytes bytes);

}  // namespace krg::detector
