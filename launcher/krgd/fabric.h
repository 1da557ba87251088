// fabric.h: which network this krgd opens.
#pragma once

#include "krg/node/node.h"
#include "krg/settings/settings.h"

namespace krg::krgd {

// What KRG_TRANSPORT and its kin say.
node::Node::OpenFabric fabric_opener(const settings::Transport& transport);

}  // namespace krg::krgd
