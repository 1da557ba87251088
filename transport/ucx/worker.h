// A UCP worker, and what must live as long as it.
//
// The network has one for all peers. Shared memory has one for each peer: UCX's shared-memory
// transport lets all senders of a worker write into one queue, and one that is killed between
// taking a place there and filling it stops the queue for everybody, for good.
#pragma once

#include <ucp/api/ucp.h>

#include <cstddef>
#include <memory>
#include <vector>

#include "context.h"
#include "krg/error/result.h"
#include "operation.h"
#include "request_pool.h"

namespace krg::ucx {

class Worker {
 public:
  // Errors  no_device  UCX can not open its transports.
  static Result<std::shared_ptr<Worker>> open(const Context& context, Path path);
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;
  ~Worker();

  ucp_worker_h get() const noexcept { return worker_; }
  Path path() const noexcept { return path_; }
  int event_fd() const noexcept { return event_fd_; }
  bool progress() noexcept { return ucp_worker_progress(worker_) != 0; }
  bool arm() noexcept { return ucp_worker_arm(worker_) == UCS_OK; }

  // Where peers reach it.
  Result<std::vector<std::byte>> address() const;
  // Requires  called before any endpoint is made.
  Status handle(unsigned id, ucp_am_recv_callback_t callback, void* arg, std::uint32_t flags);

  RequestPool& atomic_requests() noexcept { return atomic_requests_; }
  // Keeps what UCX has not given back when its endpoint went.
  void adopt(Operation& operation) noexcept { orphans_.push_back(operation); }
  bool has_orphans() const noexcept { return !orphans_.empty(); }

 private:
  explicit Worker(Path path) noexcept : path_(path) {}

  const Path path_;
  RequestPool atomic_requests_;
  ucp_worker_h worker_ = nullptr;
  int event_fd_ = -1;
  IntrusiveList<Operation, OperationTag> orphans_;
};

}  // namespace krg::ucx
