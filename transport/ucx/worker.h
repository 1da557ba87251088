// A UCP context with its one worker.
#pragma once

#include <ucp/api/ucp.h>

#include <cstddef>
#include <vector>

#include "krg/error/result.h"
#include "krg/fabric/fabric.h"

namespace krg::ucx {

class Worker {
 public:
  Worker() = default;
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;
  ~Worker();

  // Starts UCX with the transports that `options` allow.
  Status open(const fabric::Options& options);

  ucp_context_h context() const noexcept { return context_; }
  ucp_worker_h get() const noexcept { return worker_; }
  int event_fd() const noexcept { return event_fd_; }

  // Where peers reach this worker; without what works on one host only, if `network_only`.
  Result<std::vector<std::byte>> address(bool network_only) const;
  // Requires  called before any endpoint is made.
  Status handle(unsigned id, ucp_am_recv_callback_t callback, void* arg, std::uint32_t flags);

 private:
  ucp_context_h context_ = nullptr;
  ucp_worker_h worker_ = nullptr;
  int event_fd_ = -1;
};

}  // namespace krg::ucx
