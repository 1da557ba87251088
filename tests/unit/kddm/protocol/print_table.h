// The protocol's tables as Markdown, as docs/design/kddm.md shows them.
#pragma once

#include <string>

#include "world.h"

namespace krg::kddm::check {

std::string print_tables();
// The cells that have a rule but were not used, one a line.
std::string print_unused(const World::Coverage& coverage);

}  // namespace krg::kddm::check
