// region/bulk.h: what a program knows of its use of a region, said ahead; and bulk copies.
//
// Model    pages come by their faults anyway; who says ahead what will be used waits for many at
//          once. copy() and fill() say it for what they do, a part ahead of where they are.
// Threads  safe.
// Blocks   up to a minute for each 64 MiB.
// Source   docs/design/mm.md, "Bulk operations"; madvise(2)
#pragma once

#include <cstddef>
#include <cstdint>

#include "krg/error/result.h"
#include "krg/region/region.h"

namespace krg {

enum class Advice : std::uint8_t {
  owner,        // This node will write it: pages are taken from others, when it returns.
  read_mostly,  // Many will read it: every node with tasks of the region gets copies now.
  will_need,    // This node will read it soon; does not wait.
  dont_need,    // This node does not: its copies go, what only it has to another node.
};

// Of all: the bytes offset ... offset + bytes - 1, and whole pages where they begin and end.
// Errors  invalid_argument  not all of it is in the region; denied  to be written, and may not;
//         lost  of some pages every copy died with its node; those of Region::attach()

// Copies to read, mapped, when it returns; of pages that exist.
Status prefetch(const Region& region, std::size_t offset, std::size_t bytes);
Status advise(const Region& region, std::size_t offset, std::size_t bytes, Advice advice);
// Errors  invalid_argument  they overlap. What was copied before an error stays so.
Status copy(const Region& to, std::size_t to_offset, const Region& from, std::size_t from_offset,
            std::size_t bytes);
Status fill(const Region& region, std::size_t offset, std::size_t bytes, std::byte value);

}  // namespace krg
