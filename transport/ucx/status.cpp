#include "status.h"

namespace krg::ucx {

Status to_status(ucs_status_t status) noexcept {
  switch (status) {
    case UCS_OK:
      return {};
    case UCS_ERR_CANCELED:
      return Error(Errc::cancelled).with_native(status);
    case UCS_ERR_NO_MEMORY:
      return Error(Errc::no_memory).with_native(status);
    case UCS_ERR_MESSAGE_TRUNCATED:
      return Error(Errc::protocol_error, "the data is longer than announced").with_native(status);
    default:
      // Whatever else happens to an operation under way ends the endpoint too.
      return Error(Errc::peer_down).with_native(status);
  }
}

Error to_error(ucs_status_t status, Errc code, const char* what) noexcept {
  return Error(code, what).with_native(status);
}

}  // namespace krg::ucx
