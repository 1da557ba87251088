// pmix/messages.h: the questions that the services of two nodes ask each other.
//
// Model    a question is a byte Ask and the message of that kind; the answer is the message named
// beside it.
//          What fails is answered by the Exchange's error, not by bytes.
// Threads  values.
// Blocks   never.
// Source   docs/design/pmi.md
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "krg/pmix/exchange.h"
#include "krg/pmix/job.h"
#include "krg/wire/codec.h"

namespace krg::pmix {

enum class Ask : std::uint8_t {
  fence = 1,      // FenceArrival -> FenceResult, when all nodes have arrived
  modex = 2,      // ModexQuestion -> the bytes
  publish = 3,    // Published -> Empty
  unpublish = 4,  // NameQuestion -> Empty
  look_up = 5,    // NameQuestion -> Names
  event = 6,      // EventMessage -> Empty
  quiet = 7,      // QuietQuestion -> QuietAnswer
  table = 8,      // TableQuestion -> ProcessTable
};

// All ranks of one node have reached a fence. `tag` is the same on every node; `nodes` is sorted.
struct FenceArrival {
  std::string tag;
  std::vector<NodeId> nodes;
  Blob blob;
  static void wire_fields(auto& m, auto&& visit) { visit(m.tag, m.nodes, m.blob); }
};

struct FenceResult {
  std::uint64_t id = 0;     // No other fence of the cluster has it.
  std::vector<Blob> blobs;  // In the order of the nodes.
  static void wire_fields(auto& m, auto&& visit) { visit(m.id, m.blobs); }
};

// What `process` put for others to read; the answer waits until it has put something. If a key is
// named, it waits for that too: as long as the asker does if `patient`, else until the process has
// come to a fence, before which all programs put what they put without being asked.
struct ModexQuestion {
  ProcessName process;
  std::string key;
  bool patient = false;
  static void wire_fields(auto& m, auto&& visit) { visit(m.process, m.key, m.patient); }
};

// A name that MPI_Publish_name or PMIx_Publish gave to a value. A text is a text for both families;
// any other value is the packed form of PMIx, of no use to PMI-1.
struct Published {
  std::string name;
  ProcessName owner;
  bool packed = false;
  bool first_read = false;  // The first to look it up takes it away.
  Blob value;
  static void wire_fields(auto& m, auto&& visit) {
    visit(m.name, m.owner, m.packed, m.first_read, m.value);
  }
};

struct NameQuestion {
  std::vector<std::string> names;  // unpublish: empty means all of `asker`'s.
  ProcessName asker;
  std::uint32_t wait_for =
      0;  // look_up: answer when so many are known, or at the asker's deadline.
  static void wire_fields(auto& m, auto&& visit) { visit(m.names, m.asker, m.wait_for); }
};

struct Names {
  std::vector<Published> found;
  static void wire_fields(auto& m, auto&& visit) { visit(m.found); }
};

// An event for the processes of other nodes. `info` is packed by PMIx.
struct EventMessage {
  std::int32_t status = 0;
  std::uint8_t range = 0;  // pmix_data_range_t
  ProcessName source;
  std::uint32_t info_count = 0;
  Blob info;
  static void wire_fields(auto& m, auto&& visit) {
    visit(m.status, m.range, m.source, m.info_count, m.info);
  }
};

// Whether a node knows of no put in this epoch of its ranks' PMI-1 barriers.
struct QuietQuestion {
  std::string name_space;
  std::uint64_t epoch = 0;
  static void wire_fields(auto& m, auto&& visit) { visit(m.name_space, m.epoch); }
};

struct QuietAnswer {
  bool quiet = false;
  static void wire_fields(auto& m, auto&& visit) { visit(m.quiet); }
};

// The ranks that a node has of a job.
struct TableQuestion {
  std::string name_space;
  static void wire_fields(auto& m, auto&& visit) { visit(m.name_space); }
};

struct ProcessTable {
  struct Row {
    Rank rank = 0;
    std::int32_t pid = 0;
    bool running = false;
    static void wire_fields(auto& m, auto&& visit) { visit(m.rank, m.pid, m.running); }
  };
  std::vector<Row> rows;
  static void wire_fields(auto& m, auto&& visit) { visit(m.rows); }
};

template <class T>
Blob pack(Ask kind, const T& message) {
  Blob bytes(1 + wire::encoded_size(message));
  wire::Encoder out{bytes};
  out.put(static_cast<std::uint8_t>(kind));
  wire::put(out, message);
  return bytes;
}

}  // namespace krg::pmix
