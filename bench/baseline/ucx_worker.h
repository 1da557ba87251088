// baseline/ucx_worker.h: a UCX context, worker and one endpoint, opened for active messages alone.
//
// Model    owns the three; the first opening registers handlers, the second connects.
// Threads  owned by one thread.
// Blocks   opening takes some ten milliseconds.
// Source   ucp.h of UCX 1.13
#pragma once

#include <ucp/api/ucp.h>

#include <cstddef>
#include <span>
#include <vector>

#include "krg/error/result.h"
#include "krg/harness/settings.h"

namespace krg::baseline {

class UcxWorker {
 public:
  UcxWorker() = default;
  UcxWorker(const UcxWorker&) = delete;
  UcxWorker& operator=(const UcxWorker&) = delete;
  ~UcxWorker();

  // `wakeup`: the worker can be armed; that costs a little on every message.
  Status open(harness::Transport transport, bool wakeup);
  Status set_handler(unsigned id, ucp_am_recv_callback_t callback, void* argument);
  Result<std::vector<std::byte>> address();
  Status connect(std::span<const std::byte> address);

  ucp_worker_h get() const noexcept { return worker_; }
  ucp_ep_h endpoint() const noexcept { return endpoint_; }
  unsigned progress() noexcept { return ucp_worker_progress(worker_); }

 private:
  ucp_context_h context_ = nullptr;
  ucp_worker_h worker_ = nullptr;
  ucp_ep_h endpoint_ = nullptr;
};

}  // namespace krg::baseline
