// region/of_c.h: the C++ region behind a C one, for other C interfaces over regions.
//
// Model    the same region: it lives as long as the C one.
// Threads  safe.
// Blocks   never.
// Source   docs/design/mm.md
#pragma once

#include "krg/region/region.h"
#include "krg/region/region_c.h"

namespace krg {

const Region& region_of(const krg_region& region) noexcept;

}  // namespace krg
