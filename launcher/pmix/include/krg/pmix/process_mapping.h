// pmix/process_mapping.h: the value of PMI_process_mapping: which rank is on which host.
//
// Model    "(vector,(first_host,hosts,ranks_per_host),...)"; a reader applies the blocks in turn
// and starts
//          again at the first until every rank has a host. Runs of equal blocks and cycles are
//          folded.
// Threads  safe.
// Blocks   never. Cost: O(ranks).
// Source   MPICH src/util/mpir_pmi.c (build_nodemap_fallback, parse_mapping)
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace krg::pmix {

// `hosts[r]` is the host index of rank r. Gives "" when the text would be longer than `length_max`:
// to a reader that means "unknown", and it finds out by host names.
std::string process_mapping(std::span<const std::uint32_t> hosts, std::size_t length_max);

}  // namespace krg::pmix
