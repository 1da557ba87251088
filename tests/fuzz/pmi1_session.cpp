// Any bytes as the requests of a PMI-1 rank, and answers in any order: every line is bounded, a
// session that is over stays so, and how the bytes are cut makes no difference.
#include <cstdint>
#include <map>
#include <string>

#include "krg/base/assert.h"
#include "krg/pmix/pmi1_protocol.h"

namespace {

using krg::Errc;
using krg::Status;
using krg::pmix::Pmi1Session;

// A job of one rank: every request that takes time is answered by `answer()`.
class Job final : public krg::pmix::Pmi1Backend {
 public:
  Status put(std::string_view key, std::string_view value) override {
    KRG_ASSERT(!key.empty() && key.size() <= krg::pmix::kPmi1KeyMax);
    KRG_ASSERT(value.size() <= krg::pmix::kPmi1ValueMax);
    if (!values_.emplace(key, value).second) return Errc::already_exists;
    return {};
  }
  const std::string* get(std::string_view, std::string_view key) override {
    const auto at = values_.find(key);
    return at == values_.end() ? nullptr : &at->second;
  }
  std::optional<std::pair<std::string, std::string>> entry(std::size_t index) override {
    if (index >= values_.size()) return std::nullopt;
    return *std::next(values_.begin(), static_cast<std::ptrdiff_t>(index));
  }
  void barrier_in() override { waits_ = 'b'; }
  void publish(std::string, std::string) override { waits_ = 'n'; }
  void unpublish(std::string) override { waits_ = 'n'; }
  void look_up(std::string) override { waits_ = 'l'; }
  void spawn(krg::pmix::SpawnRequest request) override {
    for (const auto& app : request.apps) KRG_ASSERT(!app.argv.empty() && app.processes > 0);
    waits_ = 's';
  }
  void initialized() override {}
  void finalized() override {}
  void abort(int) override {}

  bool waits() const noexcept { return waits_ != 0; }
  void answer(Pmi1Session& session) {
    switch (std::exchange(waits_, 0)) {
      case 'b':
        return session.barrier_out();
      case 'n':
        return session.name_done({});
      case 'l':
        return session.look_up_done(std::string("a port"));
      default:
        return session.spawn_done({});
    }
  }

 private:
  std::map<std::string, std::string, std::less<>> values_;
  char waits_ = 0;
};

// What the session has written, when it has got all of `text` in pieces of `step` bytes.
std::string talk(std::string_view text, std::size_t step, bool& over) {
  Job job;
  Pmi1Session session({.kvs_name = "kvs", .rank = 1, .size = 3, .app = 0}, job);
  std::string written;
  const auto take = [&] {
    written += session.output();
    session.sent(session.output().size());
  };
  for (std::size_t at = 0; at < text.size() && !session.over(); at += step) {
    const Status status = session.receive(text.substr(at, step));
    KRG_ASSERT(status || session.over());
    take();
    while (job.waits() && !session.over()) {
      job.answer(session);
      take();
    }
  }
  over = session.over();
  KRG_ASSERT(!over || !session.receive("cmd=init pmi_version=1 pmi_subversion=1\n") ||
             session.output().empty());
  for (std::size_t at = 0; at < written.size();) {
    const std::size_t end = written.find('\n', at);
    KRG_ASSERT(end != std::string::npos && end - at < krg::pmix::kPmi1LineMax);
    at = end + 1;
  }
  return written;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0 || size > 16384) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  bool whole_over = false, cut_over = false;
  const std::string whole = talk(text, text.size() + 1, whole_over);
  const std::string cut = talk(text, 1 + data[0] % 64, cut_over);
  KRG_ASSERT(whole_over == cut_over);
  KRG_ASSERT(whole == cut);
  return 0;
}
