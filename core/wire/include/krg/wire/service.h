// wire/service.h: what a service is, whichever way a call reaches it.
//
// Model    a service is a struct that names its id and its messages:
//            struct Echo {
//              static constexpr ServiceId kId{7};
//              static constexpr const char* kName = "echo";
//              using Request = EchoRequest;   // a wire message
//              using Reply = EchoReply;
//            };
//          transport/rpc carries it between nodes, transport/gate between a task or a tool and its
//          krgd. A stream service has items beside: `Up` from the caller to the server, `Down`
//          back.
// Threads  immutable.
// Blocks   never.
// Source   docs/design/gate.md
#pragma once

#include <concepts>

#include "krg/base/ids.h"
#include "krg/wire/codec.h"

namespace krg::wire {

template <class S>
concept Service = requires {
  { S::kId } -> std::convertible_to<ServiceId>;
  { S::kName } -> std::convertible_to<const char*>;
  requires Message<typename S::Request>;
  requires Message<typename S::Reply>;
};

template <class S>
concept StreamService = Service<S> && requires {
  requires Message<typename S::Up>;
  requires Message<typename S::Down>;
};

}  // namespace krg::wire
