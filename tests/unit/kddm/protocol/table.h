// The tables of docs/design/kddm.md, made by giving every message to every state.
#pragma once

#include <string>

namespace krg::kddm_protocol::testing {

std::string home_table();
std::string node_table();

}  // namespace krg::kddm_protocol::testing
