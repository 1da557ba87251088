#include "krg/krgd/krgd.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <string>

#include "daemon.h"
#include "krg/base/descriptors.h"
#include "krg/base/freed_memory.h"
#include "krg/boot/channel.h"
#include "krg/control/clusters.h"
#include "krg/control/socket.h"
#include "krg/log/log.h"
#include "krg/pmix/service.h"
#include "krg/proc/descendants.h"
#include "krg/proc/descriptors.h"
#include "krg/proc/guard.h"

namespace krg::krgd {
namespace {

constexpr std::chrono::seconds kInitPatience{30};
// Some four for each task and for each peer.
constexpr int kDescriptors = 4096;

// Standard input and output become the channel's own descriptors; libraries that print or read get
// nothing. A standing krgd also lets go of standard error, which is its launcher's, and writes to
// `log`.
void take_channel(UniqueFd& in, UniqueFd& out, const std::string& log) {
  in = duplicate(STDIN_FILENO);
  out = duplicate(STDOUT_FILENO);
  const UniqueFd null(open("/dev/null", O_RDWR | O_CLOEXEC));
  dup2(null.get(), STDIN_FILENO);
  if (!log.empty()) {
    const UniqueFd file(open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
    dup2(file ? file.get() : null.get(), STDERR_FILENO);
  }
  dup2(STDERR_FILENO, STDOUT_FILENO);
}

// A folder of this krgd alone: its name is short, for a socket's path is limited.
Result<Folders> make_folders(const config::Environment& environment, const std::string& cluster) {
  Folders folders;
  KRG_TRY_ASSIGN(folders.cluster,
                 control::make_folder(environment.get("XDG_RUNTIME_DIR").value_or(""), cluster));
  const std::string bases[] = {std::string(environment.get("TMPDIR").value_or("/tmp")), "/tmp"};
  for (const std::string& base : bases) {
    std::string name = base + "/krgd-XXXXXX";
    if (name.size() < 60 && mkdtemp(name.data()) != nullptr) {
      folders.own = name;
      return folders;
    }
  }
  return Error(Errc::denied, "no folder can be made in TMPDIR or /tmp");
}

// Also after a krgd that was killed: its guard does it. A later life of the node may answer there.
void remove_folders(const Folders& folders, std::uint32_t node) {
  std::error_code ignored;
  std::filesystem::remove_all(folders.own, ignored);
  const std::string socket = control::socket_of(folders.cluster, node);
  if (!control::call(socket)) unlink(socket.c_str());
  control::remove_folder(folders.cluster);
}

// What this host's files and environment say; what whoever starts us says goes before. On the
// machine of whoever starts us these are the same files and variables, and he has told what is
// wrong with them.
settings::Settings read_settings(const std::vector<std::string>& told, bool embedded) {
  config::Sources sources = config::Sources::of_process();
  config::Environment::Map variables = sources.environment.all();
  for (const std::string& setting : told) {
    const std::size_t equals = setting.find('=');
    if (equals == std::string::npos) continue;
    variables[setting.substr(0, equals)] = setting.substr(equals + 1);
  }
  sources.environment = config::Environment(std::move(variables));
  settings::Settings settings =
      settings::read(sources, embedded ? settings::Report::no : settings::Report::yes);
  (void)settings::apply(settings.log);  // What can not be opened has been logged.
  return settings;
}

}  // namespace

int run(const config::Environment& environment) {
  signal(SIGPIPE, SIG_IGN);
  keep_freed_memory(kFreedMemoryKept);
  auto init = boot::read_init(STDIN_FILENO, kInitPatience);
  if (!init) {
    // Gone before the first word: whoever started it knows why.
    if (init.error() == Errc::end_of_stream) return 1;
    std::fprintf(stderr, "krgd: %s\n", init.error().message().c_str());
    return 1;
  }
  const settings::Settings settings = read_settings(init->settings, init->embedded);
  log::set_who("krgd " + std::to_string(init->first));
  const Result<Folders> folders = make_folders(environment, init->cluster);
  if (!folders) {
    KRG_ERROR("{}", folders.error().message());
    return 1;
  }
  proc::GuardOptions guard;
  guard.guard_lost = SIGTERM;
  guard.hold_descriptors = !init->standing;
  guard.afterwards = [&folders, node = init->first] { remove_folders(*folders, node); };
  if (const Status guarded = proc::guard_this_process(guard); !guarded) {
    KRG_WARN("no guard: {}", guarded.error().message());
  }
  (void)proc::become_reaper();
  pmix::expect_ranks(init->ranks);
  proc::make_room_for_descriptors(kDescriptors);
  UniqueFd in, out;
  take_channel(in, out,
               init->standing ? control::socket_of(folders->cluster, init->first) + ".log" : "");
  const bool standing = init->standing;
  const std::uint32_t node = init->first;
  // Never destroyed: coroutines that still wait end with the process.
  auto* const daemon =
      new Daemon(std::move(*init), settings, environment, *folders, std::move(in), std::move(out));
  const int code = daemon->run();
  daemon->close();
  proc::kill_descendants();
  if (standing) unlink((control::socket_of(folders->cluster, node) + ".log").c_str());
  remove_folders(*folders, node);
  _exit(code);
}

}  // namespace krg::krgd
