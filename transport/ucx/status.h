// UCX's status codes as krg's.
#pragma once

#include <ucs/type/status.h>

#include "krg/error/result.h"

namespace krg::ucx {

// How an operation with a peer ended.
Status to_status(ucs_status_t status) noexcept;
// What `what`, which is not about a peer, met.
Error to_error(ucs_status_t status, Errc code, const char* what) noexcept;

}  // namespace krg::ucx
