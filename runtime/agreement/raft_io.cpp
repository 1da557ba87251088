#include "raft_io.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace krg::agreement {
namespace {

std::uint64_t count(TimePoint t) noexcept {
  return static_cast<std::uint64_t>(t.since_origin.count());
}

}  // namespace

RaftIo::RaftIo(ServerId self, LogSink& sink, TimePoint now) : self_(self), sink_(sink), now_(now) {
  io_.version = 1;
  io_.impl = this;
  install_callbacks();
}

RaftIo::~RaftIo() = default;

void RaftIo::install_callbacks() noexcept {
  io_.init = [](raft_io*, raft_id, const char*) { return 0; };
  io_.close = [](raft_io* io, raft_io_close_cb done) {
    of(io).waiting_.emplace_back([io, done] { done(io); });
  };
  io_.load = [](raft_io* io, raft_term* term, raft_id* vote, raft_snapshot** snapshot,
                raft_index* first, raft_entry** entries, size_t* n) {
    const std::vector<std::byte>& bootstrap = of(io).bootstrap_;
    *snapshot = nullptr;
    *vote = 0;
    *first = 1;
    *entries = nullptr;
    *n = bootstrap.empty() ? 0 : 1;
    *term = *n;
    if (bootstrap.empty()) return 0;
    void* const data = raft_malloc(bootstrap.size());
    *entries = static_cast<raft_entry*>(raft_calloc(1, sizeof(raft_entry)));
    if (data == nullptr || *entries == nullptr) return RAFT_NOMEM;
    std::memcpy(data, bootstrap.data(), bootstrap.size());
    **entries = {1, RAFT_CHANGE, {data, bootstrap.size()}, data};
    return 0;
  };
  io_.start = [](raft_io* io, unsigned, raft_io_tick_cb tick, raft_io_recv_cb receive) {
    of(io).tick_ = tick;
    of(io).receive_ = receive;
    return 0;
  };
  io_.bootstrap = [](raft_io* io, const raft_configuration* configuration) {
    raft_buffer buffer{};
    if (const int error = raft_configuration_encode(configuration, &buffer)) return error;
    const auto* const begin = static_cast<const std::byte*>(buffer.base);
    of(io).bootstrap_.assign(begin, begin + buffer.len);
    raft_free(buffer.base);
    return 0;
  };
  io_.recover = [](raft_io*, const raft_configuration*) -> int { return RAFT_INVALID; };
  // A life that ends takes its term, its vote and its entries with it.
  io_.set_term = [](raft_io*, raft_term) { return 0; };
  io_.set_vote = [](raft_io*, raft_id) { return 0; };
  io_.truncate = [](raft_io*, raft_index) { return 0; };
  io_.append = [](raft_io* io, raft_io_append* request, const raft_entry*, unsigned,
                  raft_io_append_cb done) {
    of(io).waiting_.emplace_back([request, done] { done(request, 0); });
    return 0;
  };
  io_.send = [](raft_io* io, raft_io_send* request, const raft_message* message,
                raft_io_send_cb done) { return of(io).send(request, message, done); };
  // Never asked for: see log.h.
  io_.snapshot_put = [](raft_io*, unsigned, raft_io_snapshot_put*, const raft_snapshot*,
                        raft_io_snapshot_put_cb) -> int { return RAFT_INVALID; };
  io_.snapshot_get = [](raft_io*, raft_io_snapshot_get*, raft_io_snapshot_get_cb) -> int {
    return RAFT_INVALID;
  };
  io_.time = [](raft_io* io) -> raft_time { return count(of(io).now_) / 1000000; };
  io_.random = [](raft_io* io, int min, int max) {
    const auto range = static_cast<std::uint64_t>(std::max(1, max - min));
    return min + static_cast<int>(of(io).sink_.random() % range);
  };
}

int RaftIo::send(raft_io_send* request, const raft_message* message, raft_io_send_cb done) {
  if (!closed_) {
    Stamps stamps{count(now_), 0, server->current_term};
    const auto heard = heard_.find(message->server_id);
    if (heard != heard_.end()) stamps.echo = heard->second;
    raft_message told = *message;
    if (told.type == RAFT_IO_APPEND_ENTRIES_RESULT && told.append_entries_result.rejected == 0) {
      raft_index& last = told.append_entries_result.last_log_index;
      last = std::min(last, compared_);
    }
    sink_.send(ServerId{message->server_id}, encode(told, stamps));
  }
  waiting_.emplace_back([request, done] { done(request, 0); });
  return 0;
}

void RaftIo::pump() {
  while (!waiting_.empty()) {
    const std::function<void()> next = std::move(waiting_.front());
    waiting_.pop_front();
    next();
  }
}

void RaftIo::note_echo(ServerId from, const Received& received) {
  const raft_message& message = received.message;
  if (message.type == RAFT_IO_APPEND_ENTRIES) {
    std::uint64_t& heard = heard_[from.value];
    heard = std::max(heard, received.stamps.sent);
  }
  if (message.type == RAFT_IO_APPEND_ENTRIES_RESULT &&
      message.append_entries_result.term == server->current_term) {
    std::uint64_t& echoed = echoed_[from.value];
    echoed = std::max(echoed, received.stamps.echo);
  }
}

// What lies beyond the entries of a message may be left from an earlier leader. libraft 0.15 takes
// it for agreed nevertheless, in the answer to the leader, who counts it then, and where it learns
// what the leader has committed (Ongaro and Ousterhout 2014, figure 2: AppendEntries 5).
void RaftIo::limit_to_compared(raft_append_entries& message) noexcept {
  compared_ = message.prev_log_index + message.n_entries;
  message.leader_commit = std::min(message.leader_commit, compared_);
}

void RaftIo::receive(ServerId from, Received received) {
  note_echo(from, received);
  if (received.message.type == RAFT_IO_APPEND_ENTRIES) {
    limit_to_compared(received.message.append_entries);
  }
  // libraft copies the address of a leader; it must live as long as the call.
  const std::string address = std::to_string(from.value);
  received.message.server_id = from.value;
  received.message.server_address = address.c_str();
  receive_(&io_, &received.message);
  pump();
}

void RaftIo::tick() {
  tick_(&io_);
  pump();
}

void RaftIo::take_over(raft_id leader, const raft_timeout_now& request) {
  const std::string address = std::to_string(leader);
  raft_message message{};
  message.type = RAFT_IO_TIMEOUT_NOW;
  message.server_id = leader;
  message.server_address = address.c_str();
  message.timeout_now = request;
  receive_(&io_, &message);
  pump();
}

TimePoint RaftIo::echoed(ServerId server) const noexcept {
  const auto at = echoed_.find(server.value);
  return TimePoint{Duration(at == echoed_.end() ? 0 : static_cast<std::int64_t>(at->second))};
}

}  // namespace krg::agreement
