// Registered memory, here and at a peer.
#pragma once

#include <ucp/api/ucp.h>

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include "context.h"
#include "krg/error/result.h"
#include "krg/fabric/memory.h"

namespace krg::ucx {

class UcxEndpoint;
class UcxFabric;

// In both contexts, of which one may not be open.
//
// Errors  as fabric::Fabric::register_memory().
Result<std::unique_ptr<fabric::Region>> register_region(const Context& over_memory,
                                                        const Context& over_network,
                                                        std::span<std::byte> memory);
// Errors  as fabric::Endpoint::attach().
Result<std::unique_ptr<fabric::RemoteRegion>> attach_region(UcxFabric& fabric,
                                                            UcxEndpoint& endpoint,
                                                            std::span<const std::byte> key);

}  // namespace krg::ucx
