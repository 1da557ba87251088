#include "krg/krgrun/options.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>

#include "elastic.h"
#include "environment.h"
#include "krg/cli/exit.h"
#include "krg/cli/parse.h"
#include "krg/placement/hosts.h"
#include "memory.h"
#include "segments.h"
#include "values.h"

namespace krg::krgrun {
namespace {

using std::chrono::milliseconds;

constexpr std::uint32_t kMaxRanks = 1u << 20;
constexpr std::uint32_t kMaxNodes = 4096;
// What one program says for itself; everything else stands before the first program.
constexpr std::string_view kPerProgram[] = {"--np",      "--host",   "-x",        "--env",
                                            "--envlist", "--envall", "--envnone", "--wdir"};

bool is_directory(const std::string& path) {
  struct stat about {};
  return ::stat(path.c_str(), &about) == 0 && S_ISDIR(about.st_mode);
}

// Reads one command line. Every step returns false after it has set the complaint.
class Reader {
 public:
  explicit Reader(const Surroundings& around) : around_(around) {}

  Parsed run(std::span<const std::string_view> args) {
    const Status status = read(args);
    if (!out_.out.empty()) return std::move(out_);
    if (status) {
      out_.job = std::move(job_);
    } else {
      out_.exit_code = cli::kUsage;
    }
    return std::move(out_);
  }

 private:
  template <class... Args>
  Error complain(fmt::format_string<Args...> format, Args&&... args) {
    out_.complaint = fmt::format(format, std::forward<Args>(args)...);
    return Error(Errc::invalid_argument, "bad command line");
  }

  Status read(std::span<const std::string_view> args) {
    job_.settings = around_.settings;
    KRG_TRY(read_segments(args));
    if (!out_.out.empty()) return {};
    KRG_TRY(read_cluster());
    KRG_TRY(read_placement());
    KRG_TRY(read_output());
    KRG_TRY(read_running());
    for (std::size_t i = 0; i < segments_.size(); ++i) KRG_TRY(read_app(i));
    KRG_TRY(read_elastic(global(), job_, out_.complaint));
    KRG_TRY(read_memory(global(), job_, out_.complaint));
    KRG_TRY(check_ranks());
    return check_hosts();
  }

  const cli::Arguments& global() const { return segments_.front(); }

  // --- programs ---

  Status read_segments(std::span<const std::string_view> args) {
    for (const auto& words : split_segments(args)) KRG_TRY(read_segment(words));
    if (const auto answer = global().answer(command())) {
      out_.out = *answer;
      return {};
    }
    if (const auto file = global().value("--configfile"))
      return read_configfile(std::string(*file));
    for (std::size_t i = 0; i < segments_.size(); ++i) {
      if (!segments_[i].rest.empty()) continue;
      if (segments_.size() == 1) return complain("no program given: try krgrun --help");
      return complain("there is no program {} ':'",
                      i == 0 ? "before" : "after the last or between");
    }
    return {};
  }

  Status read_segment(std::span<const std::string_view> words) {
    KRG_TRY_ASSIGN(auto arguments, cli::parse(command(), words, out_.complaint));
    if (!segments_.empty()) {
      for (const std::string_view name : arguments.given()) {
        if (std::find(std::begin(kPerProgram), std::end(kPerProgram), name) !=
            std::end(kPerProgram)) {
          continue;
        }
        return complain("option {} holds for all programs: write it before the first one", name);
      }
    }
    segments_.push_back(std::move(arguments));
    return {};
  }

  // The options before --configfile hold for all; each line is a program.
  Status read_configfile(const std::string& path) {
    if (segments_.size() > 1 || !global().rest.empty()) {
      return complain("--configfile names the programs: leave out what follows it");
    }
    KRG_TRY_ASSIGN(const std::string text,
                   placement::read_text(absolute(path, around_.directory), "configuration file",
                                        out_.complaint));
    std::string why;
    auto lines = config_lines(text, why);
    if (!lines) return complain("{}:{}", path, why);
    if (lines->empty()) return complain("{}: no program in it", path);
    for (const auto& line : *lines) {
      const std::vector<std::string_view> words(line.begin(), line.end());
      KRG_TRY(read_segment(words));
      if (segments_.back().rest.empty()) {
        return complain("{}: a line without a program: {}", path, fmt::join(line, " "));
      }
    }
    from_file_ = true;
    return {};
  }

  Status read_app(std::size_t i) {
    if (from_file_ && i == 0) return {};
    const cli::Arguments& own = segments_[i];
    App app;
    if (const auto text = own.value("--np")) {
      KRG_TRY_ASSIGN(app.ranks, count("-n", *text, kMaxRanks, "ranks"));
    }
    KRG_TRY_ASSIGN(app.environment, environment_of(around_.environment, global(), own,
                                                   out_.warnings, out_.complaint));
    app.argv = own.rest;
    const auto wdir = own.value("--wdir") ? own.value("--wdir") : global().value("--wdir");
    app.directory = absolute(wdir.value_or("."), around_.directory);
    if (wdir && on_this_machine() && !is_directory(app.directory)) {
      return complain("--wdir {}: no such directory", *wdir);
    }
    KRG_TRY(find(app));
    if (const auto list = own.value("--host"); list && program_count() > 1) {
      KRG_TRY_ASSIGN(const auto hosts,
                     placement::parse_host_list(*list, file_hosts_, out_.complaint));
      for (const auto& host : hosts) app.hosts.push_back(host.name);
    }
    job_.apps.push_back(std::move(app));
    return {};
  }

  bool on_this_machine() const { return job_.cluster.kind == ClusterChoice::Kind::embedded; }
  std::size_t program_count() const { return segments_.size() - (from_file_ ? 1 : 0); }

  // Other machines have programs of their own; here a missing one is found at once.
  Status find(App& app) {
    const std::string& name = app.argv.front();
    if (!on_this_machine()) {
      const bool placed = name.find('/') != std::string::npos;
      app.program = placed ? absolute(name, app.directory) : name;
      return {};
    }
    const auto path = find_variable(app.environment, "PATH");
    const auto ours = find_variable(around_.environment, "PATH");
    KRG_TRY_ASSIGN(app.program,
                   find_program(name, app.directory, path ? *path : ours.value_or("/usr/bin:/bin"),
                                out_.complaint));
    return {};
  }

  Result<std::uint32_t> count(std::string_view option, std::string_view text, std::uint32_t limit,
                              std::string_view what) {
    const auto value = number(text);
    if (!value && !text.empty() && text.find_first_not_of("0123456789") != std::string_view::npos) {
      return complain("{} {}: that is no number of {}", option, text, what);
    }
    if (text.empty()) return complain("{} wants a number of {}", option, what);
    if (!value || *value > limit) {
      return complain("{} {}: too many, {} {} are the limit", option, text, limit, what);
    }
    if (*value == 0) return complain("{} 0: at least one is needed", option);
    return *value;
  }

  // --- hosts ---

  Status read_cluster() {
    ClusterChoice& cluster = job_.cluster;
    cluster.this_host = around_.host;
    cluster.launch_agent = global().value("--launch-agent").value_or(around_.settings.launch.agent);
    if (global().has("--launch-agent") && cluster.launch_agent.empty()) {
      return complain("--launch-agent wants a command, such as ssh");
    }
    KRG_TRY(read_names());
    KRG_TRY(read_hosts());
    if (const auto text = global().value("--nodes")) {
      KRG_TRY_ASSIGN(const std::uint32_t nodes, count("--nodes", *text, kMaxNodes, "nodes"));
      if (cluster.hosts.empty()) {
        cluster.nodes = nodes;
      } else if (nodes > cluster.hosts.size()) {
        return complain("--nodes {}: that is more than the {} given host{}", nodes,
                        cluster.hosts.size(), cluster.hosts.size() == 1 ? "" : "s");
      } else {
        cluster.hosts.resize(nodes);
      }
    }
    return choose_kind();
  }

  Status read_names() {
    ClusterChoice& cluster = job_.cluster;
    const auto standing = global().value("--cluster");
    const auto name = global().value("--name");
    for (const char* option : {"--name", "--cluster"}) {
      const auto text = global().value(option);
      if (text && !is_cluster_name(*text)) {
        return complain("{} {}: use at most 63 letters, digits, '-', '_' or '.'", option, *text);
      }
    }
    if (standing) {
      for (const char* other : {"--name", "--nodes", "--hostfile", "--launch-agent"}) {
        if (!global().has(other)) continue;
        return complain(
            "--cluster joins a cluster that stands, so {} has no meaning: leave one out", other);
      }
      cluster.kind = ClusterChoice::Kind::standing;
      cluster.name = *standing;
    } else if (name) {
      cluster.name = *name;
    } else if (const std::string& from = around_.settings.cluster.name;
               !from.empty() && !names_hosts()) {
      if (!is_cluster_name(from)) return complain("KRG_CLUSTER {}: that is no cluster name", from);
      cluster.kind = ClusterChoice::Kind::standing;
      cluster.name = from;
    }
    return {};
  }

  // Whether the line says what cluster to make, so that KRG_CLUSTER does not.
  bool names_hosts() const {
    const auto has_host = [](const cli::Arguments& a) { return a.has("--host"); };
    return global().has("--nodes") || global().has("--hostfile") ||
           std::any_of(segments_.begin(), segments_.end(), has_host);
  }

  Status read_hosts() {
    if (const auto file = global().value("--hostfile")) {
      hostfile_ = absolute(*file, around_.directory);
      KRG_TRY_ASSIGN(hostfile_text_, placement::read_text(hostfile_, "hostfile", out_.complaint));
      KRG_TRY_ASSIGN(file_hosts_,
                     placement::parse_hostfile(hostfile_text_, hostfile_, out_.complaint));
    }
    std::string lists;
    bool every = true;
    for (const cli::Arguments& segment : segments_) {
      const auto list = segment.value("--host");
      every = every && list.has_value();
      if (list) lists += (lists.empty() ? "" : ",") + std::string(*list);
    }
    auto& hosts = job_.cluster.hosts;
    if (lists.empty()) {
      hosts = file_hosts_;
      return {};
    }
    KRG_TRY_ASSIGN(hosts, placement::parse_host_list(lists, file_hosts_, out_.complaint));
    // A program without -H may use every host of the file.
    if (!every && !file_hosts_.empty()) hosts = file_hosts_;
    host_list_ = lists;
    return {};
  }

  Status choose_kind() {
    ClusterChoice& cluster = job_.cluster;
    if (cluster.kind == ClusterChoice::Kind::standing) return {};
    const auto& hosts = cluster.hosts;
    cluster.slots_stated = !hosts.empty();
    const bool only_here = hosts.size() == 1 && cluster.launch_agent.empty() &&
                           (hosts[0].name == "localhost" || hosts[0].name == "127.0.0.1" ||
                            hosts[0].name == around_.host);
    if (hosts.empty() || only_here) {
      cluster.kind = ClusterChoice::Kind::embedded;
    } else {
      cluster.kind = ClusterChoice::Kind::hosts;
    }
    return {};
  }

  // An unknown name is found before anything starts; what an agent that is not ssh understands is
  // its own affair.
  Status check_hosts() {
    const ClusterChoice& cluster = job_.cluster;
    if (cluster.kind != ClusterChoice::Kind::hosts || job_.dry_run) return {};
    const std::string agent = cluster.launch_agent.substr(0, cluster.launch_agent.find(' '));
    if (!agent.empty()) {
      const auto path = find_variable(around_.environment, "PATH").value_or("/usr/bin:/bin");
      std::string why;
      if (!find_program(agent, around_.directory, path, why)) {
        return complain("--launch-agent: {}", why);
      }
    }
    const bool plain_ssh = agent.empty() || (cluster.launch_agent == agent &&
                                             agent.substr(agent.rfind('/') + 1) == "ssh");
    if (!plain_ssh) return {};
    for (const placement::Host& host : cluster.hosts) {
      const std::string name = host.name.substr(host.name.find('@') + 1);
      if (!around_.resolves(name)) {
        return complain("host {} is unknown: its name has no address", host.name);
      }
    }
    return {};
  }

  // --- placement ---

  Status read_placement() {
    placement::Policy& policy = job_.policy;
    std::string& complaint = out_.complaint;
    if (const auto text = global().value("--map-by")) {
      KRG_TRY(placement::parse_map_by(*text, policy, complaint));
    }
    if (const auto text = global().value("--rank-by")) {
      KRG_TRY(placement::parse_rank_by(*text, policy, complaint));
    }
    if (const auto text = global().value("--bind-to")) {
      KRG_TRY(placement::parse_bind_to(*text, policy, complaint));
    }
    if (global().has("--oversubscribe")) {
      if (!policy.modifiers.oversubscribe.value_or(true)) {
        return complain("--oversubscribe contradicts --map-by ...:NOOVERSUBSCRIBE: leave one out");
      }
      policy.modifiers.oversubscribe = true;
    }
    if (const auto text = global().value("--ppn")) {
      KRG_TRY_ASSIGN(job_.per_node, count("--ppn", *text, kMaxRanks, "ranks"));
    }
    job_.display_map = global().has("--display-map");
    job_.display_bindings =
        global().has("--display-bindings") || (policy.bind && policy.bind->report);
    job_.dry_run = global().has("--dry-run");
    if (job_.dry_run && job_.cluster.hosts.empty() &&
        job_.cluster.kind == ClusterChoice::Kind::standing) {
      return complain("--dry-run does not ask cluster {} for its nodes: name hosts with -H",
                      job_.cluster.name);
    }
    return read_placement_file();
  }

  Status read_placement_file() {
    const auto& map = job_.policy.map;
    if (!map) return {};
    if (!map->file.empty()) {
      KRG_TRY_ASSIGN(
          job_.placement_file,
          placement::read_text(absolute(map->file, around_.directory),
                               map->by == placement::MapBy::seq ? "list of hosts" : "rankfile",
                               out_.complaint));
    } else if (map->by == placement::MapBy::seq) {
      job_.placement_file = hostfile_text_;
      if (hostfile_text_.empty()) {
        std::replace(host_list_.begin(), host_list_.end(), ',', '\n');
        job_.placement_file = host_list_;
      }
      if (job_.placement_file.empty()) {
        return complain("--map-by seq wants hosts in order: give --hostfile, -H or seq:FILE=PATH");
      }
    }
    return {};
  }

  // What can be counted without knowing the machines.
  Status check_ranks() {
    std::uint64_t ranks = 0;
    for (const App& app : job_.apps) {
      if (app.ranks == 0 && job_.apps.size() > 1) {
        return complain(
            "program {} needs -n: with several programs each says how many ranks it "
            "wants",
            app.argv.front());
      }
      ranks += app.ranks;
    }
    if (ranks > kMaxRanks) return complain("{} ranks in all: {} are the limit", ranks, kMaxRanks);
    if (ranks > 0 && job_.in.to == Stdin::To::one && job_.in.rank >= ranks) {
      return complain("--stdin {}: ranks go from 0 to {}", job_.in.rank, ranks - 1);
    }
    const auto& hosts = job_.cluster.hosts;
    const auto& map = job_.policy.map;
    const bool by_file =
        map && (map->by == placement::MapBy::seq || map->by == placement::MapBy::rankfile);
    const bool counted = !hosts.empty() && std::all_of(hosts.begin(), hosts.end(),
                                                       [](const auto& h) { return h.slots > 0; });
    if (!counted || by_file || job_.policy.modifiers.oversubscribe.value_or(false)) return {};
    std::uint64_t slots = 0;
    for (const auto& host : hosts) slots += host.slots;
    if (ranks <= slots) return {};
    return complain(
        "{} ranks asked for, but {} host{} with {} slot{}: give more hosts or slots, or "
        "add --oversubscribe",
        ranks, hosts.size(), hosts.size() == 1 ? " comes" : "s come", slots, slots == 1 ? "" : "s");
  }

  // --- input, output, running ---

  Status read_output() {
    const std::string_view who = global().value("--stdin").value_or("0");
    if (who == "all" || who == "none") {
      job_.in.to = who == "all" ? Stdin::To::all : Stdin::To::none;
    } else if (const auto rank = number(who)) {
      job_.in.rank = *rank;
    } else {
      return complain("--stdin {}: use a rank, all or none", who);
    }
    Output& out = job_.out;
    out.tag = global().has("--tag-output");
    out.timestamp = global().has("--timestamp-output");
    if (const auto directory = global().value("--output-dir")) {
      out.directory = absolute(*directory, around_.directory);
      struct stat about {};
      if (::stat(out.directory.c_str(), &about) == 0 && !S_ISDIR(about.st_mode)) {
        return complain("--output-dir {}: that is no directory", *directory);
      }
    }
    if (const auto pattern = global().value("--output-file")) {
      if (!out.directory.empty()) {
        return complain("--output-dir and --output-file exclude each other: leave one out");
      }
      if (pattern->empty()) return complain("--output-file wants a name");
      if (!is_pattern(*pattern)) {
        return complain("--output-file {}: after '%' stands r, h, j, p or '%'", *pattern);
      }
      out.file = absolute(*pattern, around_.directory);
    }
    return {};
  }

  Status read_time(std::string_view option, std::string_view text, milliseconds& target) {
    const auto time = duration(text);
    if (!time) return complain("{} {}: that is no time; write 90, 90s, 5m or 1h", option, text);
    target = *time;
    return {};
  }

  Status read_running() {
    if (const auto text = global().value("--timeout")) {
      KRG_TRY(read_time("--timeout", *text, job_.timeout));
    } else if (const auto from = find_variable(around_.environment, "MPIEXEC_TIMEOUT")) {
      KRG_TRY(read_time("MPIEXEC_TIMEOUT", *from, job_.timeout));
    }
    job_.kill_grace = std::chrono::duration_cast<milliseconds>(around_.settings.launch.kill_grace);
    if (const auto text = global().value("--kill-grace")) {
      KRG_TRY(read_time("--kill-grace", *text, job_.kill_grace));
    }
    KRG_TRY(read_mpi());
    job_.json = global().has("--json");
    job_.verbosity = static_cast<int>(global().values("--verbose").size());
    if (global().has("--quiet")) {
      if (job_.verbosity > 0) return complain("-q contradicts -v: leave one out");
      job_.verbosity = -1;
    }
    return {};
  }

  Status read_mpi() {
    if (const auto mpi = global().value("--mpi")) {
      if (*mpi != "auto" && *mpi != "pmix" && *mpi != "pmi1") {
        return complain("--mpi {}: use auto, pmix or pmi1", *mpi);
      }
      job_.mpi = *mpi == "pmix" ? Mpi::pmix : *mpi == "pmi1" ? Mpi::pmi1 : Mpi::automatic;
    }
    if (const auto breaker = global().value("--finalize-breaker")) {
      if (*breaker != "on" && *breaker != "off") {
        return complain("--finalize-breaker {}: use on or off", *breaker);
      }
      job_.finalize_breaker = *breaker == "on";
    }
    return {};
  }

  const Surroundings& around_;
  Parsed out_;
  Job job_;
  std::vector<cli::Arguments> segments_;
  bool from_file_ = false;  // The first segment is only what stands before --configfile.
  std::string hostfile_;
  std::string hostfile_text_;
  std::string host_list_;
  std::vector<placement::Host> file_hosts_;
};

}  // namespace

Parsed parse(std::span<const std::string_view> args, const Surroundings& around) {
  return Reader(around).run(args);
}

}  // namespace krg::krgrun
