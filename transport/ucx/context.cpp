#include "context.h"

#include <memory>

#include "krg/config/environment.h"
#include "krg/link/address.h"
#include "operation.h"
#include "status.h"

namespace krg::ucx {
namespace {

using fabric::Reach;
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

// UCX's own variable decides, unless `reach` does.
bool user_chose_transports(const fabric::Options& options) {
  return options.reach == Reach::any &&
         config::Environment::of_process().get("UCX_TLS").has_value();
}

Status set_up_memory(ucp_config_t* config, const fabric::Options& options) {
  // Without it UCX refuses shared memory to endpoints that report failures, and silently takes TCP
  // instead. In the environment this is UCX_POSIX_ERROR_HANDLING; here, what it inherits. A setting
  // that no transport uses makes UCX write a line to stdout.
  KRG_TRY(modify(config, {"MM_ERROR_HANDLING", "y"}));
  // The same for bulk data: without it UCX copies it through small messages, at a seventh of the
  // speed.
  KRG_TRY(modify(config, {"MEMORY_INVALIDATE", "y"}));
  // What fits into an element of the queue takes no buffer beside it, whose cache lines the sender
  // has to get from the receiver and then the other way round: a request of KDDM is 130 bytes. Both
  // sides must agree, as each finds the peer's elements by its own size: see link::kVersion.
  KRG_TRY(modify(config, {"MM_FIFO_ELEM_SIZE", "256"}));
  // There is a worker for each peer: half a megabyte of receive buffers, not four.
  KRG_TRY(modify(config, {"MM_RX_BUFS_GROW", "64"}));
  if (user_chose_transports(options)) return {};
  return modify(config, {"TLS", "posix,cma,self"});
}

Status set_up_network(ucp_config_t* config, const fabric::Options& options) {
  // Endpoints that report failures get no zero-copy over TCP: data comes in segments that UCX
  // copies out of its receive buffer. Of its 64 KiB, bulk data runs at half the speed of segments
  // that hold a megabyte. Both sides must agree, as UCX checks no length: see link::kVersion.
  KRG_TRY(modify(config, {"RX_SEG_SIZE", "1088k"}));
  // A fabric that listens on loopback alone is for this host alone.
  if (listens_on_loopback(options)) {
    KRG_TRY(modify(config, {"NET_DEVICES", "lo"}));
  }
  if (options.reach == Reach::tcp) return modify(config, {"TLS", "tcp,self"});
  if (user_chose_transports(options)) return {};
  return modify(config, {"TLS", "^sm"});
}

}  // namespace

Context::~Context() {
  if (context_ != nullptr) ucp_cleanup(context_);
}

Result<Context> Context::open(const fabric::Options& options, Path path) {
  ucp_config_t* raw = nullptr;
  if (const ucs_status_t status = ucp_config_read(nullptr, nullptr, &raw); status != UCS_OK) {
    return to_error(status, Errc::invalid_argument, "UCX refuses a UCX_* variable");
  }
  const Config config(raw, ucp_config_release);
  // On more than one lane the parts of a large message let later messages pass.
  KRG_TRY(modify(raw, {"MAX_EAGER_LANES", "1"}));
  KRG_TRY(path == Path::memory ? set_up_memory(raw, options) : set_up_network(raw, options));
  ucp_params_t params{};
  params.field_mask =
      UCP_PARAM_FIELD_FEATURES | UCP_PARAM_FIELD_REQUEST_SIZE | UCP_PARAM_FIELD_MT_WORKERS_SHARED;
  params.features = UCP_FEATURE_AM | UCP_FEATURE_RMA | UCP_FEATURE_AMO64 | UCP_FEATURE_WAKEUP;
  params.request_size = sizeof(Operation);
  params.mt_workers_shared = 0;
  Context context;
  if (const ucs_status_t s = ucp_init(&params, raw, &context.context_); s != UCS_OK) {
    return to_error(s, Errc::no_device, "UCX finds no transport to use");
  }
  return context;
}

}  // namespace krg::ucx
