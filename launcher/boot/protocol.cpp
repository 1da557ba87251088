#include "krg/boot/protocol.h"

namespace krg::boot {

std::string version() { return KRG_VERSION; }

}  // namespace krg::boot
