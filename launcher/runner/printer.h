// printer.h: the ranks' output, to the terminal or to files, tagged if asked for.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "krg/base/unique_fd.h"
#include "krg/error/result.h"
#include "krg/krgrun/job.h"
#include "krg/reactor/reactor.h"

namespace krg::runner {

// Text on its way to one descriptor, which may be a terminal that the user has stopped: never
// blocks, and leaves the descriptor's flags alone, for others share it.
class Drain final : private reactor::FdHandler {
 public:
  Drain(reactor::Reactor& reactor, int fd) noexcept : reactor_(reactor), fd_(fd) {}
  ~Drain();
  void add(std::string_view text);
  std::size_t queued() const noexcept { return queue_.size() - done_; }
  // Why it takes no more: EPIPE when the reader is gone, ENOSPC, ...; 0: it does.
  int error() const noexcept { return error_; }
  // Whether what was added last does not end a line.
  bool in_line() const noexcept { return in_line_; }
  // Writes the rest, waiting.
  void finish();

 private:
  void on_fd(std::uint32_t) noexcept override { push(); }
  void push() noexcept;

  reactor::Reactor& reactor_;
  const int fd_;
  std::string queue_;
  std::size_t done_ = 0;
  bool watching_ = false;
  int error_ = 0;
  bool in_line_ = false;
};

class Printer {
 public:
  // `hosts[r]` is where rank r runs.
  Printer(reactor::Reactor& reactor, krgrun::Output how, std::string job,
          std::vector<std::string> hosts);

  // More ranks, from `first` on, run on `host`.
  void add_ranks(std::uint32_t first, std::uint32_t count, const std::string& host);
  void rank_started(std::uint32_t rank, int pid) { pids_[rank] = pid; }
  // stream: 1 = stdout, 2 = stderr.
  // What a file does not take is lost, and complaint() says so.
  void print(std::uint32_t rank, int stream, std::span<const std::byte> text);
  // Nothing more comes from this rank: in tagged output its unfinished line is ended.
  void rank_ended(std::uint32_t rank);
  // More than is good waits to be written.
  bool congested() const noexcept;
  // Whether the reader of standard output is gone.
  bool broken() const noexcept;
  // One line about the first file, or standard output, that could not be made or written; "" =
  // none.
  const std::string& complaint() const noexcept { return complaint_; }
  void finish();

 private:
  // Where the last piece of a rank's stream ended.
  struct Source {
    bool in_line = false;
  };

  std::string decorate(std::uint32_t rank, int stream, std::string_view text, Drain& drain);
  std::string prefix(std::uint32_t rank) const;
  void note_full();
  void to_file(std::uint32_t rank, int stream, std::string_view text);
  std::string file_name(std::uint32_t rank, int stream) const;

  const krgrun::Output how_;
  const std::string job_;
  std::vector<std::string> hosts_;
  Drain out_, err_;
  std::unordered_map<std::uint32_t, int> pids_;
  std::unordered_map<std::uint64_t, Source> sources_;  // rank * 2 + stream - 1
  std::uint64_t last_source_[2] = {~0ull, ~0ull};      // Per drain: whose piece came last.
  std::map<std::string, UniqueFd> files_;
  std::string complaint_;
};

// Makes the folder that `how` puts files in, if it names one, and tries whether files can be made
// there.
// Errors  invalid_argument  with one line in `complaint`.
Status prepare_output(const krgrun::Output& how, std::string& complaint);

}  // namespace krg::runner
