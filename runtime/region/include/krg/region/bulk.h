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

#include "krg/base/deadline.h"
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

// The pages come to this node to be written, and stay for that time, at most ten minutes: it uses
// them without faults of another node's making, and who touches them elsewhere waits. They go
// earlier with unpin(), with the last task here that has attached the region, and with the region;
// resize() to less takes no notice of it. Of a page that is pinned already the time is a new one.
// Errors  limit_reached  65,536 pages of a node; timed_out  some page is pinned elsewhere; those
// above. None of them is pinned then.
Status pin(const Region& region, std::size_t offset, std::size_t bytes, Duration time);
Status unpin(const Region& region, std::size_t offset, std::size_t bytes);
// A node gets copies before it asks, or with `owner` the pages themselves, as for a thread that is
// on its way there; whether or not a task there has attached the region. They are there when it
// returns. Errors  invalid_argument  no such node; those above
Status push(const Region& region, std::size_t offset, std::size_t bytes, std::uint32_t node,
            bool owner = false);

}  // namespace krg
