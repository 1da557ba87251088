// rpc/service.h: how a call is to be made.
//
// Model    values.
// Threads  owned by one thread.
// Blocks   never.
// Source   docs/design/rpc.md, "Rules"
#pragma once

#include <cstdint>
#include <optional>
#include <type_traits>
#include <utility>

#include "krg/base/deadline.h"
#include "krg/base/ids.h"
#include "krg/rpc/buffer.h"
#include "krg/wire/codec.h"
#include "krg/wire/service.h"

namespace krg::rpc {

using wire::Service;
using wire::StreamService;

// Control messages go before normal ones that wait to be sent; each has its own flow control.
enum class Priority : std::uint8_t { normal = 0, control = 1 };

struct CallOptions {
  // When the call gives up. A Deadline::never() needs a reason at the place of the call.
  Deadline deadline;
  Priority priority = Priority::normal;
  // Calls of one service with one key run one after the other, in the order in which they arrive.
  std::optional<std::uint64_t> key = {};
};
// gcc 12 destroys a braced temporary twice when it stands in a co_await expression and one of its
// members has a destructor (docs/decisions/0004-no-braced-temporaries-in-co-await.md). This one
// stands in all of them.
static_assert(std::is_trivially_destructible_v<CallOptions>);

// Bulk data of a call.
struct Bulk {
  Bulk() = default;
  explicit Bulk(Buffer a, Buffer i = {}) noexcept : attach(std::move(a)), into(std::move(i)) {}

  Buffer attach;  // Goes with the request, zero-copy where the fabric can.
  Buffer into;    // Where bulk data of the reply shall land, if it is big enough.
};

// A reply together with the bulk data that came with it.
template <class Reply>
struct WithData {
  Reply reply;
  Buffer data;
};

}  // namespace krg::rpc
