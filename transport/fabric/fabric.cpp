#include "krg/fabric/fabric.h"

namespace krg::fabric {

// The vtables of the interface live here, once.
Completion::~Completion() = default;
LargeMessage::~LargeMessage() = default;
Region::~Region() = default;
RemoteRegion::~RemoteRegion() = default;
Endpoint::~Endpoint() = default;
EventSink::~EventSink() = default;
Fabric::~Fabric() = default;

}  // namespace krg::fabric
