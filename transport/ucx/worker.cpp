#include "worker.h"

#include <memory>

#include "krg/link/address.h"
#include "operation.h"
#include "status.h"

namespace krg::ucx {
namespace {

using Config = std::unique_ptr<ucp_config_t, decltype(&ucp_config_release)>;

struct Setting {
  const char* name;
  const char* value;
};

Status modify(ucp_config_t* config, const Setting& setting) {
  const ucs_status_t status = ucp_config_modify(config, setting.name, setting.value);
  if (status == UCS_OK) return {};
  return to_error(status, Errc::not_supported, "UCX does not know a setting that krg needs");
}

bool listens_on_loopback(const fabric::Options& options) {
  if (options.listen.empty()) return false;
  const auto address = link::resolve(options.listen);
  return address && address->is_loopback();
}

Result<Config> make_config(const fabric::Options& options) {
  ucp_config_t* raw = nullptr;
  if (const ucs_status_t status = ucp_config_read(nullptr, nullptr, &raw); status != UCS_OK) {
    return to_error(status, Errc::invalid_argument, "UCX refuses a UCX_* variable");
  }
  Config config(raw, ucp_config_release);
  // On more than one lane the parts of a large message let later messages pass.
  KRG_TRY(modify(raw, {"MAX_EAGER_LANES", "1"}));
  // Without it UCX refuses shared memory to endpoints that report failures, and silently takes TCP
  // instead. In the environment this is UCX_POSIX_ERROR_HANDLING and UCX_SYSV_ERROR_HANDLING; here,
  // what both inherit. A setting that no transport uses makes UCX write a line to stdout.
  if (options.reach == fabric::Reach::any || options.reach == fabric::Reach::shm) {
    KRG_TRY(modify(raw, {"MM_ERROR_HANDLING", "y"}));
    // The same for bulk data: without it UCX copies it through small messages, at a seventh of the
    // speed.
    KRG_TRY(modify(raw, {"MEMORY_INVALIDATE", "y"}));
  }
  // Endpoints that report failures get no zero-copy over TCP: data comes in segments that UCX
  // copies out of its receive buffer. Of its 64 KiB, bulk data runs at half the speed of segments
  // that hold a megabyte. Both sides must agree, as UCX checks no length: see link::kVersion.
  if (options.reach != fabric::Reach::shm) {
    KRG_TRY(modify(raw, {"RX_SEG_SIZE", "1088k"}));
  }
  if (options.reach == fabric::Reach::shm) {
    KRG_TRY(modify(raw, {"TLS", "posix,sysv,cma,self"}));
  } else if (options.reach == fabric::Reach::tcp) {
    KRG_TRY(modify(raw, {"TLS", "tcp,self"}));
  } else if (options.reach == fabric::Reach::network) {
    KRG_TRY(modify(raw, {"TLS", "^sm"}));
  }
  // A fabric that listens on loopback alone is for this host alone.
  if (listens_on_loopback(options)) {
    KRG_TRY(modify(raw, {"NET_DEVICES", "lo"}));
  }
  return config;
}

}  // namespace

Worker::~Worker() {
  if (worker_ != nullptr) ucp_worker_destroy(worker_);
  if (context_ != nullptr) ucp_cleanup(context_);
}

Status Worker::open(const fabric::Options& options) {
  KRG_TRY_ASSIGN(const Config config, make_config(options));
  ucp_params_t params{};
  params.field_mask =
      UCP_PARAM_FIELD_FEATURES | UCP_PARAM_FIELD_REQUEST_SIZE | UCP_PARAM_FIELD_MT_WORKERS_SHARED;
  params.features = UCP_FEATURE_AM | UCP_FEATURE_RMA | UCP_FEATURE_AMO64 | UCP_FEATURE_WAKEUP;
  params.request_size = sizeof(Operation);
  params.mt_workers_shared = 0;
  if (const ucs_status_t s = ucp_init(&params, config.get(), &context_); s != UCS_OK) {
    return to_error(s, Errc::no_device, "UCX finds no transport to use");
  }
  ucp_worker_params_t worker{};
  worker.field_mask = UCP_WORKER_PARAM_FIELD_THREAD_MODE;
  worker.thread_mode = UCS_THREAD_MODE_SINGLE;
  if (const ucs_status_t s = ucp_worker_create(context_, &worker, &worker_); s != UCS_OK) {
    return to_error(s, Errc::no_device, "UCX can not open its transports");
  }
  if (const ucs_status_t s = ucp_worker_get_efd(worker_, &event_fd_); s != UCS_OK) {
    return to_error(s, Errc::no_device, "UCX can not wake this thread");
  }
  return {};
}

Result<std::vector<std::byte>> Worker::address(bool network_only) const {
  ucp_worker_attr_t attr{};
  attr.field_mask = UCP_WORKER_ATTR_FIELD_ADDRESS | UCP_WORKER_ATTR_FIELD_ADDRESS_FLAGS;
  attr.address_flags = network_only ? UCP_WORKER_ADDRESS_FLAG_NET_ONLY : 0;
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
