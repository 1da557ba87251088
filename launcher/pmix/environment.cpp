#include "environment.h"

#include <algorithm>
#include <array>

namespace krg::pmix {
namespace {

// Of an outer job: PMI and PMIx servers, Hydra's and Open MPI's own variables for their ranks.
constexpr std::array<std::string_view, 12> kOuter = {
    "PMI_",         "PMIX_",          "PMI2_",
    "HYDI_",        "HYDRA_BSTRAP_",  "OMPI_COMM_WORLD_",
    "OMPI_MCA_ess", "OMPI_MCA_orte_", "OMPI_UNIVERSE_",
    "OMPI_APP_",    "PRTE_",          "JSM_JSRUN_PORT"};
constexpr std::array<std::string_view, 4> kOuterExactly = {
    "MPI_LOCALRANKID", "MPI_LOCALNRANKS", "OMPI_FIRST_RANKS", "OMPI_FILE_LOCATION"};
// The user's own settings of libpmix.
constexpr std::string_view kKept = "PMIX_MCA_";

bool is_outer(std::string_view name) {
  if (name.starts_with(kKept)) return false;
  return std::any_of(kOuter.begin(), kOuter.end(),
                     [&](std::string_view prefix) { return name.starts_with(prefix); }) ||
         std::find(kOuterExactly.begin(), kOuterExactly.end(), name) != kOuterExactly.end();
}

}  // namespace

Environment::Environment(const std::vector<std::string>& user) {
  for (const std::string& entry : user) {
    if (!is_outer(std::string_view(entry).substr(0, entry.find('=')))) set_entry(entry);
  }
}

void Environment::set_entry(std::string_view entry) {
  const auto sign = entry.find('=');
  if (sign == 0 || sign == std::string_view::npos) return;
  const auto [at, is_new] = index_.emplace(entry.substr(0, sign), entries_.size());
  if (is_new) {
    entries_.emplace_back(entry);
  } else {
    entries_[at->second] = entry;
  }
}

void Environment::set(std::string_view name, std::string_view value) {
  set_entry(std::string(name) + "=" + std::string(value));
}

void Environment::set_default(std::string_view name, std::string_view value) {
  if (!has(name)) set(name, value);
}

}  // namespace krg::pmix
