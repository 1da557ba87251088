// source.h: a process that leaves: it stands still, and its image and pages are sent.
//
// Model    begin() freezes and captures; send() gives a host the image, the pages that the task can
//          not begin without, and then all others in the order of their addresses, between which it
//          answers for those that are wanted at once. Until the process is emptied or killed,
//          destroying this lets it go on where it was.
// Threads  owned by the reactor's thread, the tracer.
// Blocks   begin() as frozen.h; nothing else.
// Source   docs/design/epm.md, "Pages"
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "frozen.h"
#include "krg/control/connection.h"
#include "krg/reactor/reactor.h"
#include "messages.h"

namespace krg::epm {

class Source final : private control::ConnectionHandler {
 public:
  // Told once that the host has all pages (true), or is gone.
  using Done = std::function<void(bool whole)>;

  Source(reactor::Reactor& reactor, pid_t pid) : reactor_(reactor), frozen_(pid) {}
  ~Source();

  // Errors  those of Frozen.
  Status begin(const Known& known);
  void send(UniqueFd stream, bool eager, Done done);

  Frozen& frozen() noexcept { return frozen_; }
  std::uint64_t frozen_at_us() const noexcept { return frozen_at_us_; }

 private:
  // The pages that travel in this part: of all, or of one range.
  Co<void> push(std::weak_ptr<char> alive, bool eager);
  Co<bool> push_range(std::weak_ptr<char> alive, Range range);
  std::vector<Range> first_pages(bool eager) const;
  bool send_pages(std::uint64_t from, std::uint64_t count);

  void on_frame(control::Connection& from, std::uint16_t type, wire::Bytes body) override;
  void on_closed(control::Connection& connection, Status why) override;
  void end(bool whole);

  reactor::Reactor& reactor_;
  Frozen frozen_;
  std::uint64_t frozen_at_us_ = 0;
  std::unique_ptr<control::Connection> stream_;
  Done done_;
  bool complete_ = false;
  std::shared_ptr<char> alive_ = std::make_shared<char>();  // Watched by what is pushed.
};

std::uint64_t real_time_us() noexcept;

}  // namespace krg::epm
