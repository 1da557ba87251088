#include "krg/open/open.h"

#include "krg/ofi/open.h"
#include "krg/ucx/ucx.h"

namespace krg::transport {

Result<Provider> provider_of(std::string_view name) noexcept {
  if (name == "ucx") return Provider::ucx;
  if (name == "ofi") return Provider::ofi;
  if (name == "sim") return Error(Errc::not_supported, "the transport sim runs only inside tests");
  return Error(Errc::invalid_argument, "transport: want ucx or ofi");
}

std::string_view name_of(Provider provider) noexcept {
  return provider == Provider::ucx ? "ucx" : "ofi";
}

Result<std::unique_ptr<fabric::Fabric>> open(Provider provider, reactor::Reactor& reactor,
                                             fabric::EventSink& sink,
                                             const fabric::Options& options) {
  switch (provider) {
    case Provider::ucx:
      return ucx::open(reactor, sink, options);
    case Provider::ofi:
      return ofi::open(reactor, sink, options);
  }
  return Error(Errc::invalid_argument, "not a transport");
}

}  // namespace krg::transport
