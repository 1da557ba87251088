// How a peer that shares memory wakes this process: the shm provider has no descriptor to wait on.
//
// Before it sleeps, a process sets its word `asleep` in a page that its peers have mapped, and
// looks once more for messages; a peer that has sent one looks at the word and, if it is set,
// clears it and sends one byte to the process's datagram socket. Whoever else sends to that socket
// can only wake it.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "krg/base/unique_fd.h"
#include "krg/error/result.h"

namespace krg::ofi {

struct DoorbellPage {
  std::atomic<std::uint32_t> asleep;
};

// A mapped page; unmaps it.
struct DoorbellUnmap {
  void operator()(DoorbellPage* page) const noexcept;
};
using DoorbellPagePtr = std::unique_ptr<DoorbellPage, DoorbellUnmap>;

// One's own. Removes its name from /dev/shm when destroyed.
class Doorbell {
 public:
  static Result<std::unique_ptr<Doorbell>> create();
  ~Doorbell();

  const std::string& name() const noexcept { return name_; }
  int fd() const noexcept { return socket_.get(); }
  void fall_asleep() noexcept;
  void awake() noexcept;

 private:
  Doorbell() = default;

  std::string name_;
  DoorbellPagePtr page_;
  UniqueFd socket_;
};

// A peer's, seen from here.
class PeerBell {
 public:
  // Errors  invalid_argument  not a name that Doorbell gives.
  //         system_error      the page can not be mapped.
  static Result<std::unique_ptr<PeerBell>> attach(const std::string& name, int socket);

  // Requires  the message is where the peer sees it.
  // Cost      a fence and a load while the peer is awake.
  void ring() noexcept {
    std::atomic_thread_fence(std::memory_order_seq_cst);
    if (page_->asleep.load(std::memory_order_relaxed) != 0) wake();
  }

 private:
  PeerBell() = default;
  void wake() noexcept;

  std::string name_;
  DoorbellPagePtr page_;
  int socket_ = -1;
};

}  // namespace krg::ofi
