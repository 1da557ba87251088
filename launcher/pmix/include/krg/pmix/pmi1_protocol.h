// pmix/pmi1_protocol.h: the PMI-1 wire protocol of one rank, bytes in and bytes out.
//
// Model    requests are lines "cmd=name key=value ...", or "mcmd=spawn" and lines up to "endcmd";
// every
//          request but abort gets one line back. What the session can not know it asks its
//          Pmi1Backend, at once or, for what takes time, by a call that is answered later. Until
//          then no further line is read: bytes that have arrived wait. Unknown keys are ignored, an
//          unknown command is refused with rc=-1. A line over the limit, a byte 0 or too many
//          waiting bytes end the session.
// Threads  owned by one thread.
// Blocks   never.
// Source   MPICH 4.0 src/pmi/simple/simple_pmi.c and its wire protocol 1.1
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "krg/error/result.h"
#include "krg/pmix/job.h"

namespace krg::pmix {

// The client's own buffer is 1024 bytes for the whole line; "cmd=put kvsname= key= value=\n"
// takes 30. The value's length must be even, or MPICH's hexadecimal puts fail an assertion.
inline constexpr std::size_t kPmi1LineMax = 1024;
inline constexpr std::size_t kPmi1NameMax = 64;
inline constexpr std::size_t kPmi1KeyMax = 64;
inline constexpr std::size_t kPmi1ValueMax = 800;
static_assert(kPmi1NameMax + kPmi1KeyMax + kPmi1ValueMax + 30 <= kPmi1LineMax);
static_assert(kPmi1ValueMax % 2 == 0);

// Who the rank is; constant.
struct Pmi1Identity {
  std::string kvs_name;
  Rank rank = 0;
  std::uint32_t size = 1;
  std::uint32_t app = 0;
  std::int64_t universe_size = -1;  // -1: unknown.
};

// What a session asks of its job.
class Pmi1Backend {
 public:
  virtual ~Pmi1Backend() = default;
  virtual Status put(std::string_view key, std::string_view value) = 0;
  // The value, or nullptr. Valid until the session's next call.
  virtual const std::string* get(std::string_view kvs, std::string_view key) = 0;
  virtual std::optional<std::pair<std::string, std::string>> entry(std::size_t index) = 0;

  // Answered later, or from within the call, by the session's function named beside it.
  virtual void barrier_in() = 0;                                    // barrier_out
  virtual void publish(std::string service, std::string port) = 0;  // name_done
  virtual void unpublish(std::string service) = 0;                  // name_done
  virtual void look_up(std::string service) = 0;                    // look_up_done
  virtual void spawn(SpawnRequest request) = 0;                     // spawn_done

  virtual void initialized() = 0;
  virtual void finalized() = 0;
  virtual void abort(int code) = 0;
};

// A spawn request that is being read, line by line.
struct Pmi1SpawnLines {
  SpawnRequest request;
  std::unordered_map<std::string, std::string> segment;
  std::uint64_t segments_left = 0;  // 0 until the first segment has said how many there are.
  std::size_t bytes = 0;
  bool valid = true;
};

class Pmi1Session {
 public:
  // Bytes that may wait while a request is being served, and the size of one spawn request.
  static constexpr std::size_t kWaitingMax = std::size_t{64} << 10;
  static constexpr std::size_t kSpawnMax = std::size_t{1} << 20;

  // `backend` outlives the session.
  Pmi1Session(Pmi1Identity identity, Pmi1Backend& backend)
      : me_(std::move(identity)), backend_(backend) {}

  // Takes bytes from the rank. After an error the session is over; nothing more is read or written.
  //
  // Errors  protocol_error  with the reason.
  Status receive(std::string_view bytes);
  // Bytes for the rank; the caller sends them and calls sent().
  std::string_view output() const noexcept { return output_; }
  void sent(std::size_t bytes) { output_.erase(0, bytes); }
  bool over() const noexcept { return state_ == State::over; }

  // Each is called once for each call of the backend; ignored if that was not the last request.
  void barrier_out();
  void name_done(const Status& status);
  void look_up_done(const Result<std::string>& port);
  void spawn_done(const Status& status);

 private:
  enum class State { ready, barrier, publish, unpublish, look_up, spawn, over };
  class Fields;

  void run();
  void line(std::string_view text);
  void spawn_line(std::string_view text);
  void spawn_segment();
  void init(const Fields& fields);
  void constants(std::string_view command);
  void put(const Fields& fields);
  void get(const Fields& fields);
  void get_by_index(const Fields& fields);
  void name(std::string_view command, const Fields& fields);
  void abort(const Fields& fields);
  bool answer_now(std::string_view command, const Fields& fields);
  bool answer_later(std::string_view command, const Fields& fields);
  void reply(const std::string& text);
  void done(const std::string& text);
  void fail(const char* what);

  const Pmi1Identity me_;
  Pmi1Backend& backend_;
  State state_ = State::ready;
  Error error_;
  bool running_ = false;
  std::string input_, output_;
  std::optional<Pmi1SpawnLines> spawn_;
  std::uint64_t spawned_ = 0;  // Processes of the request being served.
};

}  // namespace krg::pmix
