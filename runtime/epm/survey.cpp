#include "survey.h"

#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "krg/epm/proc_text.h"
#include "proc_files.h"

namespace krg::epm {
namespace {

bool begins(std::string_view text, std::string_view with) { return text.rfind(with, 0) == 0; }
bool ends(std::string_view text, std::string_view with) {
  return text.size() >= with.size() && text.substr(text.size() - with.size()) == with;
}

// Of the program's rights: what it has must be what its new parent has.
void compare_credentials(std::string_view theirs, Survey& into) {
  const std::string ours = slurp("/proc/self/status");
  for (const char* name : {"Uid", "Gid", "Groups"}) {
    if (field(theirs, name) != field(ours, name)) {
      into.problems.push_back(fmt::format("user: its {} differ from krgd's", name));
      return;
    }
  }
  for (const char* name : {"CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"}) {
    if (field(theirs, name) != field(ours, name)) {
      into.problems.emplace_back("capabilities: they differ from krgd's");
      return;
    }
  }
}

void compare_namespaces(pid_t pid, const Known& known, std::string_view theirs, Survey& into) {
  for (const char* name : {"mnt", "net", "ipc", "uts", "user", "cgroup", "time"}) {
    const std::string file = std::string("ns/") + name;
    if (read_link(of(pid, file.c_str())) != read_link("/proc/self/" + file)) {
      into.problems.push_back(fmt::format("name space: it has a {} of its own", name));
    }
  }
  const std::size_t levels = numbers(field(theirs, "NSpid"), 10).size();
  const std::size_t ours = numbers(field(slurp("/proc/self/status"), "NSpid"), 10).size();
  if (levels != ours + (known.moved ? 1 : 0)) {
    into.problems.emplace_back("name space: it has a pid of its own");
  }
  if (read_link(of(pid, "root")) != read_link("/proc/self/root")) {
    into.problems.emplace_back("root: it has changed its root directory");
  }
}

void find_ties(pid_t pid, const Known& known, std::string_view status, Survey& into) {
  const auto say = [&](std::string problem) { into.problems.push_back(std::move(problem)); };
  const auto tracer = field(status, "TracerPid");
  if (tracer != "0" && !known.held) {
    say(fmt::format("tracing: process {} traces it", tracer));
  }
  if (field(status, "Seccomp") != "0") say("seccomp: it has a filter of system calls");
  if (!begins(field(status, "VmLck"), "0 ")) say("memory: some of it is locked");
  const std::string_view state = field(status, "State");
  if (begins(state, "T")) say("state: it is stopped");
  if (begins(state, "Z") || begins(state, "X")) say("state: it has ended");
  std::string children;
  for (const int tid : numbered(of(pid, "task"))) {
    children += slurp(of(pid, fmt::format("task/{}/children", tid).c_str()));
  }
  while (!children.empty() && children.back() == ' ') children.pop_back();
  if (!children.empty()) say(fmt::format("children: it has started process {}", children));
  const std::string timers = slurp(of(pid, "timers"));
  if (const auto id = field(timers, "ID"); !id.empty()) {
    say(fmt::format("timer {}: a timer of timer_create()", id));
  }
}

// One mapping; false: it is none of the process's affair.
bool take_mapping(const MapLine& line, Survey& into) {
  MappingImage mapping;
  mapping.begin = line.begin;
  mapping.end = line.end;
  mapping.protection = line.protection;
  mapping.shared = line.shared;
  mapping.path = line.path;
  const auto refuse = [&](std::string_view why) {
    into.problems.push_back(fmt::format("mapping {:x}: {}", line.begin, why));
  };
  if (line.path == "[vsyscall]") return false;
  if (line.path == "[vdso]" || begins(line.path, "[vvar")) {
    mapping.kind = MappingImage::Kind::kernel;
  } else if (begins(line.path, "/")) {
    mapping.kind = MappingImage::Kind::file;
    mapping.offset = line.offset;
    struct stat status {};
    if (begins(line.path, "/memfd:") || begins(line.path, "/SYSV") ||
        begins(line.path, "/dev/zero (deleted)")) {
      refuse("shared memory " + line.path);
    } else if (ends(line.path, " (deleted)")) {
      refuse("deleted file " + line.path.substr(0, line.path.size() - 10));
    } else if (stat(line.path.c_str(), &status) != 0) {
      refuse("no such file " + line.path);
    } else if (!S_ISREG(status.st_mode)) {
      refuse("device " + line.path);
    } else {
      mapping.file = identify(line.path);
    }
  } else if (line.path.empty() || line.path == "[heap]" || line.path == "[stack]" ||
             begins(line.path, "[anon:")) {
    mapping.grows_down = line.path == "[stack]";
    mapping.path.clear();
    if (line.shared) refuse("shared memory");
  } else {
    refuse(line.path);
  }
  into.image.mappings.push_back(std::move(mapping));
  return true;
}

}  // namespace

std::int32_t inner_pid(std::string_view status) {
  const auto all = numbers(field(status, "NSpid"), 10);
  return all.empty() ? 0 : static_cast<std::int32_t>(all.back());
}

void survey_identity(pid_t pid, const Known& known, Survey& into) {
  const std::string status = slurp(of(pid, "status"));
  if (status.empty()) {
    into.problems.emplace_back("there is no such process");
    return;
  }
  compare_credentials(status, into);
  compare_namespaces(pid, known, status, into);
  find_ties(pid, known, status, into);
  Image& image = into.image;
  image.pid = inner_pid(status);
  image.no_new_privileges = field(status, "NoNewPrivs") == "1";
  const auto mask = numbers(field(status, "Umask"), 8);
  image.umask = mask.empty() ? 022 : static_cast<std::uint32_t>(mask[0]);
  image.program = read_link(of(pid, "exe"));
  image.directory = read_link(of(pid, "cwd"));
  if (image.program.empty()) into.problems.emplace_back("program: it can not be found out");
  if (ends(image.program, " (deleted)")) {
    into.problems.push_back(fmt::format("program: {}", image.program));
  }
  if (ends(image.directory, " (deleted)")) {
    into.problems.push_back(fmt::format("working directory: {}", image.directory));
  }
  struct stat program {};
  if (stat(image.program.c_str(), &program) == 0 && (program.st_mode & (S_ISUID | S_ISGID)) != 0) {
    into.problems.emplace_back("program: it runs with its owner's rights");
  }
  image.program_file = identify(image.program);
}

void survey_mappings(pid_t pid, Survey& into) {
  const std::vector<MapLine> lines = parse_maps(slurp(of(pid, "maps")));
  if (lines.empty()) into.problems.emplace_back("memory: its mappings can not be read");
  bool gadget = false;
  for (const MapLine& line : lines) {
    (void)take_mapping(line, into);
    gadget = gadget || line.path == "[vdso]";
  }
  if (!gadget && !lines.empty()) into.problems.emplace_back("memory: it has no vDSO");
}

Survey survey(pid_t pid, const Known& known) {
  Survey all;
  survey_identity(pid, known, all);
  if (all.image.pid == 0) return all;
  survey_mappings(pid, all);
  survey_files(pid, known, all);
  return all;
}

}  // namespace krg::epm
