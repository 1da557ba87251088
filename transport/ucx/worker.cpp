#include "worker.h"

#include "status.h"

namespace krg::ucx {

Worker::~Worker() {
  // Their memory is the worker's.
  while (!orphans_.empty()) release_orphan(orphans_.front());
  if (worker_ != nullptr) ucp_worker_destroy(worker_);
}

Result<std::shared_ptr<Worker>> Worker::open(const Context& context, Path path) {
  const std::shared_ptr<Worker> worker(new Worker(path));
  KRG_TRY(worker->atomic_requests_.fit(context.get()));
  ucp_worker_params_t params{};
  params.field_mask = UCP_WORKER_PARAM_FIELD_THREAD_MODE;
  params.thread_mode = UCS_THREAD_MODE_SINGLE;
  if (const ucs_status_t s = ucp_worker_create(context.get(), &params, &worker->worker_);
      s != UCS_OK) {
    worker->worker_ = nullptr;
    return to_error(s, Errc::no_device, "UCX can not open its transports");
  }
  if (const ucs_status_t s = ucp_worker_get_efd(worker->worker_, &worker->event_fd_); s != UCS_OK) {
    return to_error(s, Errc::no_device, "UCX can not wake this thread");
  }
  return worker;
}

Result<std::vector<std::byte>> Worker::address() const {
  ucp_worker_attr_t attr{};
  attr.field_mask = UCP_WORKER_ATTR_FIELD_ADDRESS | UCP_WORKER_ATTR_FIELD_ADDRESS_FLAGS;
  attr.address_flags = path_ == Path::network ? UCP_WORKER_ADDRESS_FLAG_NET_ONLY : 0;
  if (const ucs_status_t s = ucp_worker_query(worker_, &attr); s != UCS_OK) {
    return to_error(s, Errc::no_device, "asking UCX for its address");
  }
  const auto* bytes = reinterpret_cast<const std::byte*>(attr.address);
  std::vector<std::byte> address(bytes, bytes + attr.address_length);
  ucp_worker_release_address(worker_, attr.address);
  return address;
}

Status Worker::handle(unsigned id, ucp_am_recv_callback_t callback, void* arg,
                      std::uint32_t flags) {
  ucp_am_handler_param_t param{};
  param.field_mask = UCP_AM_HANDLER_PARAM_FIELD_ID | UCP_AM_HANDLER_PARAM_FIELD_CB |
                     UCP_AM_HANDLER_PARAM_FIELD_ARG | UCP_AM_HANDLER_PARAM_FIELD_FLAGS;
  param.id = id;
  param.cb = callback;
  param.arg = arg;
  param.flags = flags;
  const ucs_status_t status = ucp_worker_set_am_recv_handler(worker_, &param);
  if (status == UCS_OK) return {};
  return to_error(status, Errc::no_device, "UCX without active messages");
}

}  // namespace krg::ucx
