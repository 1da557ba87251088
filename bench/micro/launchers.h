// launchers.h: the command lines of the launchers that are compared, and how long one takes.
//
// Model    a Stage is where they start programs: nodes inside this machine, or the hosts that
//          EMULATED_HOSTS_FILE names and EMULATED_HOSTS_AGENT reaches. A launcher is there if its
//          program is installed; srun also needs a Slurm that answers (SLURM_CONF).
// Threads  one.
// Blocks   run_ms() as long as the command takes.
// Source   mpiexec.hydra, mpirun(1), srun(1); the traps of each stand where it is told
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "krg/error/result.h"

namespace krg::bench {

using Command = std::vector<std::string>;

struct Stage {
  std::vector<std::string> hosts;  // Empty: this machine.
  std::string agent;               // Called as `AGENT HOST command...`.

  static Stage of_environment();
  // Ranks on each host, the last ones perhaps fewer.
  std::size_t per_host(std::size_t ranks) const;
};

enum class Family { none, mpich, openmpi };  // What the program is linked with.

// Beside this program, in the same build.
std::string built(const std::string& path);

Command krgrun(const Stage& stage, std::size_t ranks);
// Nothing where the launcher is not there, or cannot start such programs.
std::optional<Command> hydra(const Stage& stage, Family family, std::size_t ranks);
std::optional<Command> mpirun(const Stage& stage, Family family, std::size_t ranks);
std::optional<Command> srun(const Stage& stage, Family family, std::size_t ranks);

// Runs `copies` of a command at once, without output; milliseconds until the last has ended. One
// that has not ended after a minute is killed, said on stderr, and counts as that minute.
// Errors  not_found, system_error  said on stderr: it can not be started, or ended badly.
Result<double> run_ms(const Command& command, unsigned copies = 1);

}  // namespace krg::bench
