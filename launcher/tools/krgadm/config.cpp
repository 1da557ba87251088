// krgadm config: every setting, its value and where the value came from.
#include "krg/config/config.h"

#include "commands.h"
#include "krg/cli/exit.h"
#include "krg/config/render.h"
#include "krg/settings/given.h"
#include "krg/settings/settings.h"

namespace krg::krgadm {

int show_config(const config::Environment&, bool json) {
  const config::Config config(settings::tables(), config::Sources::of_process(), settings::given());
  const int printed = cli::print(json ? config::json(config) : config::text_table(config));
  for (const std::string& line : config.warnings()) cli::refuse("krgadm", "warning: " + line);
  for (const std::string& line : config.errors()) cli::refuse("krgadm", line);
  if (printed != cli::kDone) return printed;
  return config.errors().empty() ? cli::kDone : cli::kFailed;
}

}  // namespace krg::krgadm
