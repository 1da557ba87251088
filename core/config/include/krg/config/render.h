// config/render.h: every setting as text for people, as JSON for programs, as a manual page.
//
// Model    pure functions of a Config or of its tables.
// Threads  safe.
// Blocks   never.
// Source   docs/man/krg-environment.7 is made by manual()
#pragma once

#include <string>
#include <vector>

#include "krg/config/config.h"

namespace krg::config {

// A table with the columns variable, value, origin and meaning, for `krgadm config`.
std::string text_table(const Config& config);
// One object:
// {"settings":[{"variable","key","type","value","default","unit","origin","level","meaning"}]}.
std::string json(const Config& config);
// The section ENVIRONMENT of krg-environment(7), in scdoc's language.
std::string manual(const std::vector<const TableBase*>& tables);
// The same for the variables that tasks get.
std::string manual(std::span<const Given> given);

}  // namespace krg::config
