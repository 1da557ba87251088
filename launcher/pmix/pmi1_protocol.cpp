#include "krg/pmix/pmi1_protocol.h"

#include <algorithm>
#include <array>
#include <charconv>

namespace krg::pmix {
namespace {

constexpr std::uint64_t kSpawnProcessesMax = 1u << 20;
constexpr std::uint64_t kSpawnSegmentsMax = 1024;

template <class Integer>
std::optional<Integer> number(std::string_view text) noexcept {
  Integer value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return {};
  return value;
}

// Whether `text` can stand as a value in a line: values end at a blank.
bool fits(std::string_view text, std::size_t length_max) noexcept {
  return text.size() <= length_max && std::none_of(text.begin(), text.end(), [](unsigned char c) {
           return c <= ' ' || c == 0x7f;
         });
}

using Segment = std::unordered_map<std::string, std::string>;

std::string_view field(const Segment& segment, const std::string& key) {
  const auto found = segment.find(key);
  return found == segment.end() ? std::string_view() : std::string_view(found->second);
}

// Reads <what>_num pairs <what>_key_i, <what>_val_i. False if one is missing.
bool read_pairs(const Segment& segment, const std::string& what, KeyValues& into) {
  const auto text = field(segment, what + "_num");
  if (text.empty()) return true;
  const auto count = number<std::size_t>(text);
  if (!count || *count > segment.size()) return false;
  for (std::size_t i = 0; i < *count; ++i) {
    const auto key = field(segment, what + "_key_" + std::to_string(i));
    if (key.empty()) return false;
    into.emplace_back(key, field(segment, what + "_val_" + std::to_string(i)));
  }
  return true;
}

bool read_app(const Segment& segment, SpawnApp& app, KeyValues& preput) {
  const auto processes = number<std::uint32_t>(field(segment, "nprocs"));
  const auto program = field(segment, "execname");
  if (!processes || *processes == 0 || *processes > kSpawnProcessesMax || program.empty()) {
    return false;
  }
  app.processes = *processes;
  app.argv.emplace_back(program);
  const auto arguments = number<std::size_t>(field(segment, "argcnt")).value_or(0);
  if (arguments > segment.size()) return false;
  for (std::size_t i = 1; i <= arguments; ++i) {
    const auto found = segment.find("arg" + std::to_string(i));
    if (found == segment.end()) return false;
    app.argv.push_back(found->second);
  }
  if (!read_pairs(segment, "preput", preput) || !read_pairs(segment, "info", app.info)) {
    return false;
  }
  for (const auto& [key, value] : app.info) {
    if (key == "wdir") app.working_folder = value;
  }
  return true;
}

}  // namespace

// The key=value words of a line. A view: it lives as long as the line.
class Pmi1Session::Fields {
 public:
  explicit Fields(std::string_view text) {
    while (!text.empty() && count_ < words_.size()) {
      const auto end = std::min(text.find(' '), text.size());
      const auto word = text.substr(0, end);
      text.remove_prefix(std::min(end + 1, text.size()));
      const auto sign = word.find('=');
      if (sign == 0 || sign == std::string_view::npos) continue;
      words_[count_++] = {word.substr(0, sign), word.substr(sign + 1)};
    }
  }
  // The value of the first `key`, or "".
  std::string_view operator[](std::string_view key) const noexcept {
    for (std::size_t i = 0; i < count_; ++i) {
      if (words_[i].first == key) return words_[i].second;
    }
    return {};
  }

 private:
  std::array<std::pair<std::string_view, std::string_view>, 32> words_;
  std::size_t count_ = 0;
};

void Pmi1Session::fail(const char* what) {
  if (state_ == State::over) return;
  state_ = State::over;
  error_ = Error(Errc::protocol_error, what);
  input_.clear();
}

Status Pmi1Session::receive(std::string_view bytes) {
  if (state_ != State::over) {
    input_.append(bytes);
    run();
    if (state_ != State::over && input_.size() > kWaitingMax) {
      fail("a rank sends PMI requests without waiting for replies");
    }
  }
  if (state_ == State::over) return error_;
  return {};
}

// Serves the lines that have arrived, until one has to wait for its answer.
void Pmi1Session::run() {
  if (running_) return;  // A backend that answers within its call: the loop below goes on.
  running_ = true;
  std::size_t at = 0;
  while (state_ == State::ready) {
    const std::string_view rest = std::string_view(input_).substr(at);
    const auto end = rest.find('\n');
    if (std::min(end, rest.size()) >= kPmi1LineMax) {
      fail("a PMI line is longer than 1023 characters");
      break;
    }
    if (end == std::string_view::npos) break;
    at += end + 1;
    line(rest.substr(0, end));
  }
  if (state_ != State::over) input_.erase(0, at);
  running_ = false;
}

void Pmi1Session::line(std::string_view text) {
  if (text.find('\0') != std::string_view::npos) return fail("a PMI line holds a byte 0");
  if (spawn_) return spawn_line(text);
  const Fields fields(text);
  if (!fields["mcmd"].empty()) {
    spawn_.emplace();
    spawn_->valid = fields["mcmd"] == "spawn";
    return;
  }
  const std::string_view command = fields["cmd"];
  if (command.empty()) return fail("a PMI line has no command");
  if (answer_now(command, fields) || answer_later(command, fields)) return;
  const bool printable = fits(command, kPmi1NameMax);
  reply("cmd=" + std::string(printable ? command : "unknown") +
        "_result rc=-1 msg=unknown_command");
}

bool Pmi1Session::answer_now(std::string_view command, const Fields& fields) {
  if (command == "init") {
    init(fields);
  } else if (command == "put") {
    put(fields);
  } else if (command == "get") {
    get(fields);
  } else if (command == "getbyidx") {
    get_by_index(fields);
  } else if (command == "abort") {
    abort(fields);
  } else if (command == "finalize") {
    backend_.finalized();
    reply("cmd=finalize_ack");
  } else if (command == "get_maxes") {
    reply("cmd=maxes kvsname_max=" + std::to_string(kPmi1NameMax) + " keylen_max=" +
          std::to_string(kPmi1KeyMax) + " vallen_max=" + std::to_string(kPmi1ValueMax));
  } else if (command == "get_appnum") {
    reply("cmd=appnum appnum=" + std::to_string(me_.app));
  } else if (command == "get_my_kvsname") {
    reply("cmd=my_kvsname kvsname=" + me_.kvs_name);
  } else if (command == "get_universe_size") {
    reply("cmd=universe_size size=" + std::to_string(me_.universe_size));
  } else if (command == "initack") {
    reply("cmd=initack\ncmd=set size=" + std::to_string(me_.size) +
          "\ncmd=set rank=" + std::to_string(me_.rank) + "\ncmd=set debug=0");
  } else if (command == "singinit") {
    reply("cmd=singinit_info versionok=yes stdio=no kvsname=" + me_.kvs_name);
  } else {
    return false;
  }
  return true;
}

bool Pmi1Session::answer_later(std::string_view command, const Fields& fields) {
  const std::string_view service = fields["service"];
  if (command == "barrier_in") {
    state_ = State::barrier;
    backend_.barrier_in();
  } else if (command == "publish_name") {
    state_ = State::publish;
    if (service.empty()) {
      name_done(Errc::invalid_argument);
    } else {
      backend_.publish(std::string(service), std::string(fields["port"]));
    }
  } else if (command == "unpublish_name") {
    state_ = State::unpublish;
    backend_.unpublish(std::string(service));
  } else if (command == "lookup_name") {
    state_ = State::look_up;
    backend_.look_up(std::string(service));
  } else {
    return false;
  }
  return true;
}

void Pmi1Session::init(const Fields& fields) {
  // Subversion 1 is served to whoever asks for more: the client takes what the reply names.
  const bool known = fields["pmi_version"] == "1";
  if (known) backend_.initialized();
  reply("cmd=response_to_init pmi_version=1 pmi_subversion=1 rc=" +
        std::string(known ? "0" : "-1"));
}

void Pmi1Session::put(const Fields& fields) {
  const std::string_view key = fields["key"], value = fields["value"];
  if (fields["kvsname"] != me_.kvs_name) {
    reply("cmd=put_result rc=-1 msg=unknown_kvs");
  } else if (key.empty()) {
    reply("cmd=put_result rc=-1 msg=no_key");
  } else if (key.size() > kPmi1KeyMax || value.size() > kPmi1ValueMax) {
    reply("cmd=put_result rc=-1 msg=too_long");
  } else if (!backend_.put(key, value)) {
    reply("cmd=put_result rc=-1 msg=put_failed");
  } else {
    reply("cmd=put_result rc=0 msg=success");
  }
}

void Pmi1Session::get(const Fields& fields) {
  const std::string_view key = fields["key"];
  const std::string* value = backend_.get(fields["kvsname"], key);
  if (value == nullptr) {
    const bool printable = key.size() <= kPmi1KeyMax;
    reply("cmd=get_result rc=-1 msg=key_" + std::string(printable ? key : "") +
          "_not_found value=unknown");
  } else {
    reply("cmd=get_result rc=0 msg=success value=" + *value);
  }
}

void Pmi1Session::get_by_index(const Fields& fields) {
  const auto index = number<std::size_t>(fields["idx"]);
  const auto found = index ? backend_.entry(*index) : std::nullopt;
  if (!found) return reply("cmd=getbyidx_results rc=-2 reason=no_more_keyvals");
  reply("cmd=getbyidx_results rc=0 nextidx=" + std::to_string(*index + 1) + " key=" + found->first +
        " val=" + found->second);
}

void Pmi1Session::abort(const Fields& fields) {
  const int code = number<int>(fields["exitcode"]).value_or(1);
  backend_.abort(code);
}

void Pmi1Session::spawn_line(std::string_view text) {
  spawn_->bytes += text.size() + 1;
  if (spawn_->bytes > kSpawnMax) return fail("a PMI spawn request is too large");
  if (text == "endcmd") return spawn_segment();
  const auto sign = text.find('=');
  if (sign == std::string_view::npos) return;
  const std::string_view key = text.substr(0, sign), value = text.substr(sign + 1);
  if (key == "mcmd") return;  // Each further segment begins with it.
  spawn_->segment.emplace(key, value);
}

void Pmi1Session::spawn_segment() {
  Pmi1SpawnLines& spawn = *spawn_;
  if (spawn.segments_left == 0) {
    const auto total = number<std::uint64_t>(field(spawn.segment, "totspawns")).value_or(1);
    if (total == 0 || total > kSpawnSegmentsMax) return fail("a PMI spawn count is out of range");
    spawn.segments_left = spawn.valid ? total : 1;
  }
  spawn.valid = spawn.valid &&
                read_app(spawn.segment, spawn.request.apps.emplace_back(), spawn.request.preput);
  spawn.segment.clear();
  if (--spawn.segments_left != 0) return;

  Pmi1SpawnLines whole = std::move(spawn);
  spawn_.reset();
  whole.request.parent = {me_.kvs_name, me_.rank};
  spawned_ = 0;
  for (const SpawnApp& app : whole.request.apps) spawned_ += app.processes;
  state_ = State::spawn;
  if (whole.valid && spawned_ <= kSpawnProcessesMax) {
    backend_.spawn(std::move(whole.request));
  } else {
    spawn_done(Error(Errc::invalid_argument, "malformed spawn request"));
  }
}

void Pmi1Session::reply(const std::string& text) {
  output_ += text;
  output_ += '\n';
}

void Pmi1Session::done(const std::string& text) {
  state_ = State::ready;
  reply(text);
  run();
}

void Pmi1Session::barrier_out() {
  if (state_ == State::barrier) done("cmd=barrier_out");
}

void Pmi1Session::name_done(const Status& status) {
  if (state_ != State::publish && state_ != State::unpublish) return;
  const bool publish = state_ == State::publish;
  const std::string command = publish ? "cmd=publish_result" : "cmd=unpublish_result";
  if (status) return done(command + " info=ok rc=0 msg=success");
  const bool known = status.error() == Errc::already_exists || status.error() == Errc::not_found;
  const std::string reason = publish ? "duplicate_service" : "service_not_found";
  done(command + " info=fail rc=-1 msg=" + (known ? reason : "failed"));
}

void Pmi1Session::look_up_done(const Result<std::string>& port) {
  if (state_ != State::look_up) return;
  if (port && fits(*port, kPmi1LineMax - 64)) {
    done("cmd=lookup_result port=" + *port + " info=ok rc=0 msg=success");
  } else {
    done("cmd=lookup_result info=fail rc=-1 msg=service_not_found");
  }
}

void Pmi1Session::spawn_done(const Status& status) {
  if (state_ != State::spawn) return;
  if (!status) return done("cmd=spawn_result rc=-1 status=-1 msg=spawn_failed");
  std::string text = "cmd=spawn_result rc=0";
  // A code for each process, if they fit: without them the client takes all for 0.
  if (spawned_ * 2 + 40 <= kPmi1LineMax) {
    text += " errcodes=0";
    for (std::uint64_t i = 1; i < spawned_; ++i) text += ",0";
  }
  done(text);
}

}  // namespace krg::pmix
