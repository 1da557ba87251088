#include "ucx_worker.h"

namespace krg::baseline {
namespace {

Status check(ucs_status_t status, const char* what) {
  if (status == UCS_OK) return {};
  return Error(Errc::system_error, what).with_native(status);
}

}  // namespace

UcxWorker::~UcxWorker() {
  if (worker_ != nullptr) ucp_worker_destroy(worker_);
  if (context_ != nullptr) ucp_cleanup(context_);
}

Status UcxWorker::open(harness::Transport transport, bool wakeup) {
  ucp_config_t* config = nullptr;
  KRG_TRY(check(ucp_config_read(nullptr, nullptr, &config), "reading UCX's configuration"));
  const bool tcp = transport == harness::Transport::tcp;
  ucp_config_modify(config, "TLS", tcp ? "tcp,self" : "shm,self");
  if (tcp) ucp_config_modify(config, "NET_DEVICES", "lo");
  ucp_params_t params{};
  params.field_mask = UCP_PARAM_FIELD_FEATURES;
  params.features = UCP_FEATURE_AM | (wakeup ? UCP_FEATURE_WAKEUP : 0);
  const ucs_status_t status = ucp_init(&params, config, &context_);
  ucp_config_release(config);
  KRG_TRY(check(status, "opening a UCX context"));
  ucp_worker_params_t worker{};
  worker.field_mask = UCP_WORKER_PARAM_FIELD_THREAD_MODE;
  worker.thread_mode = UCS_THREAD_MODE_SINGLE;
  return check(ucp_worker_create(context_, &worker, &worker_), "creating a UCX worker");
}

Status UcxWorker::set_handler(unsigned id, ucp_am_recv_callback_t callback, void* argument) {
  ucp_am_handler_param_t param{};
  param.field_mask = UCP_AM_HANDLER_PARAM_FIELD_ID | UCP_AM_HANDLER_PARAM_FIELD_CB |
                     UCP_AM_HANDLER_PARAM_FIELD_ARG;
  param.id = id;
  param.cb = callback;
  param.arg = argument;
  return check(ucp_worker_set_am_recv_handler(worker_, &param), "setting an AM handler");
}

Result<std::vector<std::byte>> UcxWorker::address() {
  ucp_address_t* address = nullptr;
  std::size_t size = 0;
  KRG_TRY(check(ucp_worker_get_address(worker_, &address, &size), "asking a worker's address"));
  const auto* bytes = reinterpret_cast<const std::byte*>(address);
  std::vector<std::byte> copy(bytes, bytes + size);
  ucp_worker_release_address(worker_, address);
  return copy;
}

Status UcxWorker::connect(std::span<const std::byte> address) {
  ucp_ep_params_t params{};
  params.field_mask = UCP_EP_PARAM_FIELD_REMOTE_ADDRESS;
  params.address = reinterpret_cast<const ucp_address_t*>(address.data());
  return check(ucp_ep_create(worker_, &params, &endpoint_), "creating a UCX endpoint");
}

}  // namespace krg::baseline
