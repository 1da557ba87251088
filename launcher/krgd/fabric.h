// fabric.h: which network this krgd opens.
#pragma once

#include "krg/node/node.h"
#include "krg/settings/settings.h"

namespace krg::krgd {

// What KRG_TRANSPORT and its kin say.
// `alone`: no peer shares memory with this node.
node::Node::OpenFabric fabric_opener(const settings::Transport& transport, bool alone);

}  // namespace krg::krgd
