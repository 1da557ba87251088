// A module's options as its author writes them, for the tests of core/config.
#pragma once

#include "krg/config/config.h"

namespace krg::config::sample {

enum class Provider { automatic, ucx, ofi };

struct Options {
  Provider provider = Provider::automatic;
  Duration reach{};
  Size window;
  std::uint16_t shards = 0;
  bool spin = false;
  std::string name;
  Path log;

  static const Table<Options>& table() {
    static const Table<Options> table(
        "transport",
        {
            {"provider",
             &Options::provider,
             "auto",
             "",
             "Which network library carries messages.",
             {.choices = {"auto", "ucx", "ofi"}, .variable = "KRG_TRANSPORT"}},
            {"reach",
             &Options::reach,
             "5s",
             "ms",
             "How long to try to reach a peer.",
             {.min = "1ms", .max = "1h"}},
            {"window",
             &Options::window,
             "64KiB",
             "",
             "Bytes in flight.",
             {.min = "1KiB", .max = "1GiB"}},
            {"shards", &Options::shards, "1", "", "Reactors.", {.min = "1", .max = "64"}},
            {"spin", &Options::spin, "yes", "", "Whether to spin."},
            {"name", &Options::name, "", "", "A label."},
            {"log", &Options::log, "~/krg.log", "", "Where the log goes."},
        });
    return table;
  }
};

}  // namespace krg::config::sample
