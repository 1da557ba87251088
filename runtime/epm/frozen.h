// frozen.h: a process that stands still: captured, and then resumed or emptied.
//
// Model    freeze() stops all threads; capture() reads what an image needs, partly by calls that
//          the process itself makes; resume() puts everything back as it was, at any time before
//          empty(); empty() leaves one thread without memory or descriptors: the husk.
// Threads  owned by one thread, the tracer.
// Blocks   as tracee.h; capture() for about a millisecond and 60 ns per page.
// Source   docs/design/epm.md, "Capture"
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "calls.h"
#include "krg/base/unique_fd.h"
#include "krg/epm/image.h"
#include "pages.h"
#include "survey.h"

namespace krg::epm {

class Frozen {
 public:
  explicit Frozen(pid_t pid) noexcept : pid_(pid) {}
  Frozen(const Frozen&) = delete;
  Frozen& operator=(const Frozen&) = delete;
  // Resumes what was not let go.
  ~Frozen();

  // Errors  those of hold_all().
  Status freeze();
  // Requires  freeze() has succeeded. Errors  denied  there are problems(); system_error
  Status capture(const Known& known);
  void resume() noexcept;
  // Requires  capture() has succeeded. Nothing leads back. The leader is then held, not running.
  Status empty();

  pid_t pid() const noexcept { return pid_; }
  const Image& image() const noexcept { return image_; }
  Image& image() noexcept { return image_; }
  const std::vector<std::string>& problems() const noexcept { return problems_; }
  const Pages& pages() const noexcept { return *pages_; }
  // A descriptor of the process, as one of ours. Empty if it has none of that number.
  UniqueFd take_fd(int fd) const;
  std::uint64_t gadget() const noexcept { return gadget_; }

 private:
  Status read_layout();
  Status read_threads();
  Status read_inside();
  Status read_inside_thread(std::size_t index);
  Status read_pipes();
  Status start_timers();
  Status find_gadget();
  Status end_other_threads();
  void forget_scratch() noexcept;

  const pid_t pid_;
  bool held_ = false;
  bool timers_stopped_ = false;
  std::vector<pid_t> tids_;
  std::vector<Registers> registers_;  // What each thread goes on with.
  std::vector<std::uint64_t> blocked_;
  std::uint64_t gadget_ = 0;
  std::optional<Scratch> scratch_;
  std::optional<Pages> pages_;
  Image image_;
  std::vector<std::string> problems_;
};

// The pending signals of a held thread, without taking them: of the whole process, or its own.
std::vector<SignalInfo> pending_signals(pid_t tid, bool of_process);
// What the kernel would do to a system call that a stop has interrupted: begin it again.
void restart_interrupted_call(Registers& registers);

}  // namespace krg::epm
