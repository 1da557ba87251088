// messages.h: what the nodes of a job say to each other over rpc.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "krg/jobs/spec.h"
#include "krg/pmix/exchange.h"
#include "krg/proc/exit_status.h"
#include "krg/wire/service.h"

namespace krg::jobs {

// Head to node: know the job; its process-management servers are ready when this is answered.
struct Prepare {
  static constexpr ServiceId kId{0x30};
  static constexpr const char* kName = "job.prepare";
  struct Request {
    JobId job;
    JobSpec spec;
    std::uint32_t first_rank = 0;  // Earlier ones on the receiver are of one of its former lives.
    static void wire_fields(auto& m, auto&& visit) { visit(m.job, m.spec, m.first_rank); }
  };
  using Reply = wire::Empty;
};

// Head to node: start its ranks. What can not be started is named in the reply.
struct Launch {
  static constexpr ServiceId kId{0x31};
  static constexpr const char* kName = "job.launch";
  struct Request {
    JobId job;
    static void wire_fields(auto& m, auto&& visit) { visit(m.job); }
  };
  struct Reply {
    bool started = true;
    std::uint32_t rank = 0;  // The first that could not be started,
    std::string why;         // and why not.
    bool missing = false;    // Its program or directory is not there.
    static void wire_fields(auto& m, auto&& visit) { visit(m.started, m.rank, m.why, m.missing); }
  };
};

struct SendSignal {
  static constexpr ServiceId kId{0x32};
  static constexpr const char* kName = "job.signal";
  struct Request {
    JobId job;
    std::uint32_t rank = kEveryRank;
    std::int32_t number = 0;
    static void wire_fields(auto& m, auto&& visit) { visit(m.job, m.rank, m.number); }
  };
  using Reply = wire::Empty;
};

// Head to node: input for one rank or all of the node; answered when it is queued. No bytes: the
// end.
struct Feed {
  static constexpr ServiceId kId{0x33};
  static constexpr const char* kName = "job.feed";
  struct Request {
    JobId job;
    std::uint32_t rank = kEveryRank;
    std::vector<std::byte> bytes;
    static void wire_fields(auto& m, auto&& visit) { visit(m.job, m.rank, m.bytes); }
  };
  struct Reply {
    bool more = true;  // Somebody still reads.
    static void wire_fields(auto& m, auto&& visit) { visit(m.more); }
  };
};

// Head to node: SIGTERM, after the grace SIGKILL, until nothing of the job is left; answered after
// the last report of the node has been.
struct End {
  static constexpr ServiceId kId{0x34};
  static constexpr const char* kName = "job.end";
  struct Request {
    JobId job;
    std::uint32_t grace_ms = 0;
    static void wire_fields(auto& m, auto&& visit) { visit(m.job, m.grace_ms); }
  };
  struct Reply {
    bool clean = true;  // Nothing is left.
    static void wire_fields(auto& m, auto&& visit) { visit(m.clean); }
  };
};

// Node to head: what has happened, in order; `managed` is a rank's first word to process
// management, told of elastic jobs only. One at a time; the answer means that the head has passed
// it on, so a stalled terminal stops the tasks' output at its source.
struct Report {
  static constexpr ServiceId kId{0x35};
  static constexpr const char* kName = "job.report";
  enum class Kind : std::uint8_t { output, exit, abort, notice, start, managed };
  struct Event {
    Kind kind = Kind::output;
    std::uint32_t rank = 0;
    std::uint8_t stream = 0;  // of output
    proc::ExitStatus status;  // of exit; of abort the code; of start the pid as code
    std::vector<std::byte> text;
    static void wire_fields(auto& m, auto&& visit) {
      visit(m.kind, m.rank, m.stream, m.status, m.text);
    }
  };
  struct Request {
    JobId job;
    std::vector<Event> events;
    static void wire_fields(auto& m, auto&& visit) { visit(m.job, m.events); }
  };
  using Reply = wire::Empty;
};

// Node to head: a rank wants a new job. Answered with its name space when all nodes know it; its
// ranks start after that.
struct Spawn {
  static constexpr ServiceId kId{0x37};
  static constexpr const char* kName = "job.spawn";
  struct Request {
    JobId job;
    pmix::SpawnRequest spawn;
    static void wire_fields(auto& m, auto&& visit) { visit(m.job, m.spawn); }
  };
  struct Reply {
    std::string name_space;
    static void wire_fields(auto& m, auto&& visit) { visit(m.name_space); }
  };
};

// The job's name for the process-management servers and the MPI libraries.
std::string name_space(const std::string& cluster, JobId job);

// Node to node: a question of the process-management service.
struct PmiAsk {
  static constexpr ServiceId kId{0x36};
  static constexpr const char* kName = "pmi.ask";
  struct Request {
    pmix::Blob question;
    static void wire_fields(auto& m, auto&& visit) { visit(m.question); }
  };
  struct Reply {
    pmix::Blob answer;
    static void wire_fields(auto& m, auto&& visit) { visit(m.answer); }
  };
};

}  // namespace krg::jobs
