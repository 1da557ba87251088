#include "krg/gate/one_call.h"

#include "krg/config/environment.h"

namespace krg::gate {

Result<std::string> path_or_own(const std::string& given) {
  if (!given.empty()) return given;
  const auto environment = config::Environment::of_process();
  const auto path = environment.get("KRG_GATE");
  if (path) return std::string(*path);
  return Error(Errc::not_found, "this process was not started by krgrun: no KRG_GATE");
}

}  // namespace krg::gate
