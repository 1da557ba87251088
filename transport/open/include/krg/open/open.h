// open/open.h: the choice of a fabric provider.
//
// Model    a function of what it is told; KRG_TRANSPORT and KRG_TRANSPORT_REACH are read by the
//          commands, whose tables must not link the providers (launcher/settings).
// Threads  as the provider's open().
// Blocks   as the provider's open().
// Source   ARCHITECTURE "transport"; krg-environment(7)
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "krg/error/result.h"
#include "krg/fabric/fabric.h"
#include "krg/reactor/reactor.h"

// Not krg::open: that would hide open(2) from everything in krg.
namespace krg::transport {

enum class Provider : std::uint8_t { ucx, ofi };

// "ucx" or "ofi".
// Errors  not_supported     "sim": a simulated fabric needs its World and is opened by tests alone.
//         invalid_argument  no provider.
Result<Provider> provider_of(std::string_view name) noexcept;
std::string_view name_of(Provider provider) noexcept;

// Opens a fabric of that provider and adds it to the reactor; its destructor removes it.
//
// Requires  `reactor` and `sink` outlive the fabric.
// Errors    those of the provider's open(); no_device if it has no way that options.reach allows.
Result<std::unique_ptr<fabric::Fabric>> open(Provider provider, reactor::Reactor& reactor,
                                             fabric::EventSink& sink,
                                             const fabric::Options& options);

}  // namespace krg::transport
