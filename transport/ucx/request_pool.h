// Requests for UCX that are zeroed before each use.
//
// UCX 1.13 leaves the memory handle of a fetching atomic that it emulates by messages uninitialised
// and releases it all the same when the peer dies. In a request of its own, which has served
// something else before, that is a stale handle, and the process aborts (`ucp_ep_req_purge`); in
// zeroes it finds nothing to release.
#pragma once

#include <ucp/api/ucp.h>

#include <cstddef>
#include <cstring>
#include <memory>
#include <vector>

#include "krg/error/result.h"
#include "operation.h"
#include "status.h"

namespace krg::ucx {

// Threads  one.
class RequestPool {
 public:
  // Requests of the size that this context wants.
  Status fit(ucp_context_h context) {
    ucp_context_attr_t attr{};
    attr.field_mask = UCP_ATTR_FIELD_REQUEST_SIZE;
    if (const ucs_status_t s = ucp_context_query(context, &attr); s != UCS_OK) {
      return to_error(s, Errc::system_error, "asking UCX for the size of its requests");
    }
    front_ = (attr.request_size + kAlign - 1) / kAlign * kAlign;
    return {};
  }

  // Where UCX's part ends and the Operation begins, as in a request that UCX returns.
  void* take() {
    if (free_.empty()) {
      all_.push_back(std::make_unique<Block[]>(size() / sizeof(Block)));
      free_.push_back(all_.back().get());
    }
    Block* block = free_.back();
    free_.pop_back();
    std::memset(static_cast<void*>(block), 0, size());
    return reinterpret_cast<std::byte*>(block) + front_;
  }
  void give_back(void* request) {
    free_.push_back(reinterpret_cast<Block*>(static_cast<std::byte*>(request) - front_));
  }

 private:
  static constexpr std::size_t kAlign = alignof(std::max_align_t);
  struct alignas(kAlign) Block {
    std::byte bytes[kAlign];
  };

  std::size_t size() const noexcept {
    return front_ + (sizeof(Operation) + kAlign - 1) / kAlign * kAlign;
  }

  std::size_t front_ = 0;
  // Also those that UCX has not given back when its worker ends.
  std::vector<std::unique_ptr<Block[]>> all_;
  std::vector<Block*> free_;
};

}  // namespace krg::ucx
