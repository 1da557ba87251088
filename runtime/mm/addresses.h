// addresses.h: where regions lie: addresses that no two regions of a cluster share.
//
// Model    one object of kddm says up to where the addresses are given away. They are not used
//          again: a region that was destroyed may still be mapped somewhere. 2^46 bytes in all.
// Threads  the reactor's thread.
// Blocks   never; it suspends.
// Source   docs/design/mm.md, "Addresses"
#pragma once

#include <cstdint>

#include "krg/kddm/kddm.h"

namespace krg::mm {

// `bytes` of address space, with room between it and its neighbours.
// Errors  limit_reached  there are no more; those of Kddm::grab()
Co<Result<std::uint64_t>> take_addresses(kddm::Kddm& kddm, std::uint64_t bytes, Deadline deadline);

}  // namespace krg::mm
