#include "capabilities.h"

#include <algorithm>

namespace krg::krgrun {
namespace {

using capability::Capability;
using capability::Set;

// Programs make their regions so: krgd would otherwise have to ask for each of them.
void keep_memory_here(App& app) {
  constexpr std::string_view kVariable = "KRG_MEMORY_REMOTE=";
  std::erase_if(app.environment,
                [&](const std::string& entry) { return entry.rfind(kVariable, 0) == 0; });
  app.environment.push_back(std::string(kVariable) + "no");
}

}  // namespace

Status read_capabilities(const cli::Arguments& options, Job& job, std::string& complaint) {
  Set effective = capability::kUseful;
  if (const auto list = options.value("--capabilities")) {
    std::string why;
    const auto parsed = capability::parse(*list, effective, why);
    if (parsed && !parsed->is_within(capability::kSupported)) {
      why = "krg does not have " + capability::to_text(parsed->without(capability::kSupported));
    }
    if (!why.empty()) {
      complaint = "--capabilities " + std::string(*list) + ": " + why;
      return Error(Errc::invalid_argument, "bad command line");
    }
    effective = *parsed;
  }
  if (options.has("--no-remote-memory")) {
    effective = effective.without(Capability::use_remote_memory);
  }
  for (App& app : job.apps) {
    app.capabilities.effective = app.capabilities.inheritable_effective = effective;
    if (!effective.has(Capability::use_remote_memory)) keep_memory_here(app);
  }
  return {};
}

}  // namespace krg::krgrun
