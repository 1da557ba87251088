// detector/detector.h: one node's part in noticing that others have died.
//
// Model    pure: datagrams, instants and news of the fabric come in, datagrams and accusations go
//          out. A node sends a heartbeat to each of its observers every period. An observer that
//          has heard nothing for half the timeout also probes, and after the timeout accuses, again
//          every period until it hears from the subject. An observer whose own timer was late
//          trusts none of its clocks: every subject gets the delay back (Lifeguard). News that a
//          connection ended, or a request of the coordinator, starts probes at once; if the machine
//          answers that nobody holds the port, the node has ended.
// Threads  the reactor's thread.
// Blocks   never.
// Source   docs/design/hotplug.md, "Detection"; Dadgar et al., "Lifeguard", DSN-W 2018;
//          Suresh et al., "Rapid", ATC 2018
#pragma once

#include <chrono>
#include <cstdint>
#include <vector>

#include "krg/base/deadline.h"
#include "krg/detector/datagram_port.h"
#include "krg/detector/evidence.h"

namespace krg::detector {

struct DetectorOptions {
  Duration period = std::chrono::milliseconds(300);
  Duration timeout = std::chrono::milliseconds(2000);
  Duration probe_interval = std::chrono::milliseconds(10);
  unsigned probes = 5;  // In a row, once asked for.
};

class AccusationSink {
 public:
  virtual void accuse(const Peer& subject, Evidence evidence) noexcept = 0;

 protected:
  ~AccusationSink() = default;
};

class Detector {
 public:
  // `phase` spreads the nodes' heartbeats over the period; any number.
  Detector(Peer self, const DetectorOptions& options, DatagramPort& port, AccusationSink& sink,
           std::uint64_t phase, TimePoint now);

  // The view: who watches us, and whom we watch. A subject that was watched before keeps its clock.
  void watch(std::vector<Peer> observers, const std::vector<Peer>& subjects, TimePoint now);
  void on_datagram(wire::Bytes datagram, TimePoint now);
  void on_refused(NodeId node);
  // Asks `peer` at once, a few times; whoever it is.
  void probe(const Peer& peer, TimePoint now);
  void on_timer(TimePoint now);
  // When on_timer() is due.
  TimePoint next() const noexcept;

  std::uint64_t datagrams_sent() const noexcept { return sent_; }

 private:
  enum class Kind : std::uint8_t { beat = 1, probe = 2 };
  struct Datagram {
    Kind kind = Kind::beat;
    Peer from, to;
    std::uint64_t sequence = 0;
    static void wire_fields(auto& m, auto&& visit) { visit(m.kind, m.from, m.to, m.sequence); }
  };
  struct Subject {
    Peer peer;
    TimePoint heard;
    std::uint64_t sequence = 0;
    bool accused = false;
  };
  struct Probing {
    Peer peer;
    unsigned left = 0;
    TimePoint next;
  };

  void send(Kind kind, const Peer& to);
  void beat(TimePoint now);
  void check_subjects(TimePoint now);
  void forgive(Duration late, TimePoint now) noexcept;
  void run_probes(TimePoint now);
  Subject* find(NodeId node) noexcept;

  const Peer self_;
  const DetectorOptions options_;
  DatagramPort& port_;
  AccusationSink& sink_;
  std::vector<Peer> observers_;
  std::vector<Subject> subjects_;  // By ascending node.
  std::vector<Probing> probing_;
  TimePoint next_beat_;
  std::uint64_t sequence_ = 0, sent_ = 0;
};

}  // namespace krg::detector
