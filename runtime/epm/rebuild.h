// rebuild.h: a process made from an image: everything but its pages, and held until it may run.
//
// Model    begin() gives a stub the image's address space, files and signal actions, and finish()
//          its threads and registers; pages come between the two, or, through the pager, after
//          them. go() lets it run. Until then end() leaves nothing.
// Threads  owned by one thread, the tracer.
// Blocks   as tracee.h; begin() and finish() for 1 to 2 ms each.
// Source   docs/design/epm.md, "Rebuild"
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "calls.h"
#include "krg/epm/image.h"
#include "open_files.h"
#include "pager.h"
#include "relay.h"
#include "stub.h"

namespace krg::epm {

class Rebuild {
 public:
  explicit Rebuild(Image image) : image_(std::move(image)) {}
  Rebuild(const Rebuild&) = delete;
  Rebuild& operator=(const Rebuild&) = delete;

  // Requires  check(image). `lazy`: the pager looks after what is not written by write_pages().
  // Errors  those of OpenFiles and Stub; system_error. complaint() may say more.
  Status begin(Relays& relays, Pager& pager, bool lazy);
  // Pages of what the pager does not look after.
  Status write_pages(std::uint64_t to, std::span<const std::byte> bytes);
  Status finish();
  void go() noexcept;

  const std::string& complaint() const noexcept { return complaint_; }
  pid_t pid() const noexcept { return stub_.pid(); }
  Stub& stub() noexcept { return stub_; }
  const std::map<std::uint64_t, std::uint64_t>& relayed() const noexcept {
    return files_.relayed();
  }

 private:
  Status find_place();
  Status make_memory();
  void move_kernel_mappings(Batch& batch) const;
  Status place_files();
  Status set_process();
  Status watch_memory(Pager& pager);
  Status make_threads();
  Status set_thread(std::size_t index);
  Status limit();
  std::uint64_t flags_of(const MappingImage& mapping) const;

  Image image_;
  OpenFiles files_;
  Stub stub_;
  Registers base_{};
  std::uint64_t gadget_ = 0;
  std::vector<MappingImage> before_;  // What the stub was made with.
  std::optional<Scratch> scratch_;
  UniqueFd memory_;
  std::vector<pid_t> tids_;
  std::optional<int> faults_fd_;  // In the stub.
  std::string complaint_;
};

}  // namespace krg::epm
