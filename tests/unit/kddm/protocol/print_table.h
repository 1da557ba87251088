// The protocol's tables as Markdown, as docs/design/kddm.md shows them.
#pragma once

#include <string>

namespace krg::kddm::check {

std::string print_tables();

}  // namespace krg::kddm::check
