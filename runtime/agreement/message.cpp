#include "message.h"

#include <cstring>
#include <string>

namespace krg::agreement {
namespace {

using std::uint64_t;
using std::uint8_t;

struct Head {
  uint8_t type = 0;
  uint64_t sent = 0, echo = 0, current_term = 0, term = 0;
  static void wire_fields(auto& m, auto&& visit) {
    visit(m.type, m.sent, m.echo, m.current_term, m.term);
  }
};
struct Entry {
  uint64_t term = 0;
  uint8_t type = 0;
  wire::Bytes data;
  static void wire_fields(auto& m, auto&& visit) { visit(m.term, m.type, m.data); }
};
struct Append {
  uint64_t prev_index = 0, prev_term = 0, commit = 0;
  std::vector<Entry> entries;
  static void wire_fields(auto& m, auto&& visit) {
    visit(m.prev_index, m.prev_term, m.commit, m.entries);
  }
};
struct Appended {
  uint64_t rejected = 0, last_index = 0;
  static void wire_fields(auto& m, auto&& visit) { visit(m.rejected, m.last_index); }
};
struct Vote {
  uint64_t candidate = 0, last_index = 0, last_term = 0;
  bool disrupt = false, pre = false;
  static void wire_fields(auto& m, auto&& visit) {
    visit(m.candidate, m.last_index, m.last_term, m.disrupt, m.pre);
  }
};
struct Voted {
  bool granted = false;
  uint8_t pre = 0;
  static void wire_fields(auto& m, auto&& visit) { visit(m.granted, m.pre); }
};

wire::Bytes bytes_of(const raft_buffer& buffer) {
  return {static_cast<const std::byte*>(buffer.base), buffer.len};
}

template <class Body>
std::vector<std::byte> join(const raft_message& message, const Stamps& stamps, uint64_t term,
                            const Body& body) {
  const Head head{static_cast<uint8_t>(message.type), stamps.sent, stamps.echo, stamps.current_term,
                  term};
  std::vector<std::byte> bytes(wire::encoded_size(head) + wire::encoded_size(body));
  wire::Encoder out{bytes};
  wire::put(out, head);
  wire::put(out, body);
  return bytes;
}

Append append_of(const raft_append_entries& m) {
  Append append{m.prev_log_index, m.prev_log_term, m.leader_commit, {}};
  for (unsigned i = 0; i < m.n_entries; ++i) {
    append.entries.push_back(
        {m.entries[i].term, static_cast<uint8_t>(m.entries[i].type), bytes_of(m.entries[i].buf)});
  }
  return append;
}

// All entries' data in one piece of memory, each aligned: libraft frees the first one's batch.
bool fill(raft_append_entries& into, const Append& from) {
  into.prev_log_index = from.prev_index;
  into.prev_log_term = from.prev_term;
  into.leader_commit = from.commit;
  into.n_entries = static_cast<unsigned>(from.entries.size());
  into.entries = nullptr;
  if (from.entries.empty()) return true;
  constexpr std::size_t kAlign = 8;
  std::size_t total = 0;
  for (const Entry& entry : from.entries) {
    if (entry.type < RAFT_COMMAND || entry.type > RAFT_CHANGE || entry.data.empty()) return false;
    total += (entry.data.size() + kAlign - 1) / kAlign * kAlign;
  }
  auto* const batch = static_cast<std::byte*>(raft_malloc(total));
  into.entries = static_cast<raft_entry*>(raft_calloc(from.entries.size(), sizeof(raft_entry)));
  if (batch == nullptr || into.entries == nullptr) {
    raft_free(batch);
    raft_free(into.entries);
    return false;
  }
  std::size_t at = 0;
  for (std::size_t i = 0; i < from.entries.size(); ++i) {
    const Entry& entry = from.entries[i];
    std::memcpy(batch + at, entry.data.data(), entry.data.size());
    into.entries[i].term = entry.term;
    into.entries[i].type = entry.type;
    into.entries[i].buf = {batch + at, entry.data.size()};
    into.entries[i].batch = batch;
    at += (entry.data.size() + kAlign - 1) / kAlign * kAlign;
  }
  return true;
}

template <class Body>
bool get_rest(wire::Decoder& in, Body& body) {
  wire::get(in, body);
  return in.finished();
}

bool fill(raft_request_vote& into, const Vote& from, uint64_t term) {
  into.term = term;
  into.candidate_id = from.candidate;
  into.last_log_index = from.last_index;
  into.last_log_term = from.last_term;
  into.disrupt_leader = from.disrupt;
  into.pre_vote = from.pre;
  return from.candidate != 0;
}

bool decode_body(raft_message& m, wire::Decoder& in, uint64_t term) {
  switch (m.type) {
    case RAFT_IO_APPEND_ENTRIES: {
      Append body;
      m.append_entries.term = term;
      return get_rest(in, body) && fill(m.append_entries, body);
    }
    case RAFT_IO_APPEND_ENTRIES_RESULT: {
      Appended body;
      const bool good = get_rest(in, body);
      m.append_entries_result.term = term;
      m.append_entries_result.rejected = body.rejected;
      m.append_entries_result.last_log_index = body.last_index;
      return good;
    }
    case RAFT_IO_REQUEST_VOTE: {
      Vote body;
      return get_rest(in, body) && fill(m.request_vote, body, term);
    }
    case RAFT_IO_REQUEST_VOTE_RESULT: {
      Voted body;
      const bool good = get_rest(in, body) && body.pre <= raft_tribool_false;
      m.request_vote_result.term = term;
      m.request_vote_result.vote_granted = body.granted;
      m.request_vote_result.pre_vote = static_cast<raft_tribool>(body.pre);
      return good;
    }
    // Nobody has a snapshot to send: see log.h.
    // Nobody asks another to take over: a late request would break the leader's lease.
    default:
      return false;
  }
}

}  // namespace

std::vector<std::byte> encode(const raft_message& m, const Stamps& stamps) {
  switch (m.type) {
    case RAFT_IO_APPEND_ENTRIES:
      return join(m, stamps, m.append_entries.term, append_of(m.append_entries));
    case RAFT_IO_APPEND_ENTRIES_RESULT: {
      const raft_append_entries_result& r = m.append_entries_result;
      return join(m, stamps, r.term, Appended{r.rejected, r.last_log_index});
    }
    case RAFT_IO_REQUEST_VOTE: {
      const raft_request_vote& r = m.request_vote;
      return join(
          m, stamps, r.term,
          Vote{r.candidate_id, r.last_log_index, r.last_log_term, r.disrupt_leader, r.pre_vote});
    }
    case RAFT_IO_REQUEST_VOTE_RESULT: {
      const raft_request_vote_result& r = m.request_vote_result;
      return join(m, stamps, r.term, Voted{r.vote_granted, static_cast<uint8_t>(r.pre_vote)});
    }
    default:
      return {};
  }
}

void give_back(Received& received) noexcept {
  if (received.message.type != RAFT_IO_APPEND_ENTRIES) return;
  raft_append_entries& m = received.message.append_entries;
  if (m.n_entries > 0) raft_free(m.entries[0].batch);
  raft_free(m.entries);
  m.entries = nullptr;
  m.n_entries = 0;
}

std::optional<Received> decode(wire::Bytes bytes) {
  wire::Decoder in{bytes};
  Head head;
  wire::get(in, head);
  if (!in.ok()) return std::nullopt;
  Received received;
  received.stamps = {head.sent, head.echo, head.current_term};
  received.message.type = head.type;
  if (!decode_body(received.message, in, head.term)) return std::nullopt;
  return received;
}

}  // namespace krg::agreement
