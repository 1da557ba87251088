#include "large_in.h"

#include <cstring>

#include "krg/base/assert.h"
#include "operation.h"
#include "status.h"
#include "ucx_endpoint.h"

namespace krg::ucx {
namespace {

void on_received(void* request, ucs_status_t status, std::size_t, void*) {
  auto& operation = *static_cast<Operation*>(request);
  if (operation.endpoint != nullptr) {
    operation.endpoint->complete(operation, status);
  } else {
    release_orphan(operation);
  }
  ucp_request_free(request);
}

}  // namespace

void LargeIn::receive(std::span<std::byte> into, fabric::Completion& done) {
  KRG_ASSERT(into.size() == size_);
  if (revoked_) {
    done.on_complete(Error(Errc::cancelled, "by its sender"));
  } else if (endpoint_.ucp() == nullptr) {
    drop();
    done.on_complete(Error(Errc::peer_down).with_peer(endpoint_.peer().node));
  } else if (rndv_) {
    receive_rendezvous(into, done);
  } else {
    if (size_ != 0) std::memcpy(into.data(), data_, size_);
    drop();
    done.on_complete({});
  }
  finish();
}

void LargeIn::receive_rendezvous(std::span<std::byte> into, fabric::Completion& done) {
  ucp_request_param_t param{};
  param.op_attr_mask = UCP_OP_ATTR_FIELD_CALLBACK;
  param.cb.recv_am = on_received;
  const ucs_status_ptr_t request =
      ucp_am_recv_data_nbx(worker_, data_, into.data(), into.size(), &param);
  if (UCS_PTR_IS_PTR(request)) {
    endpoint_.track(request, &done, 0);
  } else {
    done.on_complete(to_status(UCS_PTR_STATUS(request)));
  }
}

void LargeIn::discard() {
  // Within the callback UCX drops by itself what nobody has begun to receive.
  drop();
  finish();
}

bool LargeIn::hold() noexcept {
  self_owned_ = true;
  held_ = size_ != 0;
  return held_;
}

void LargeIn::revoke() noexcept {
  drop();
  revoked_ = true;
}

void LargeIn::drop() noexcept {
  if (held_ && !revoked_) ucp_am_data_release(worker_, data_);
}

void LargeIn::finish() noexcept {
  used_ = true;
  if (self_owned_) delete this;
}

}  // namespace krg::ucx
