#include <gmock/gmock.h>

#include <algorithm>

#include "krg/cli/parse.h"
#include "lines.h"

namespace krg::krgrun {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::Lines;
using ::testing::Not;
using ::testing::StartsWith;

class Options : public Lines {};

TEST_F(Options, WithoutAnyIsOneNodeOnThisMachine) {
  const Job j = job("./app a -b");
  ASSERT_EQ(j.apps.size(), 1u);
  EXPECT_EQ(j.apps[0].ranks, 0u);
  EXPECT_THAT(j.apps[0].argv, ElementsAre("./app", "a", "-b"));
  EXPECT_EQ(j.apps[0].program, folder_.path() + "/app");
  EXPECT_EQ(j.apps[0].directory, folder_.path());
  EXPECT_THAT(j.apps[0].environment, Contains("HOME=/home/me"));
  EXPECT_EQ(j.cluster.kind, ClusterChoice::Kind::embedded);
  EXPECT_EQ(j.cluster.nodes, 1u);
  EXPECT_FALSE(j.cluster.slots_stated);
  EXPECT_EQ(j.in.rank, 0u);
  EXPECT_TRUE(j.finalize_breaker);
}

TEST_F(Options, TakeTheSpellingsOfEveryLauncher) {
  for (const char* n : {"-n 4", "-np 4", "--np 4", "--np=4", "-n4"}) {
    EXPECT_EQ(job(std::string(n) + " true").apps[0].ranks, 4u) << n;
  }
  for (const char* n : {"-N 2", "-ppn 2", "--ppn 2", "-npernode 2", "--npernode 2"}) {
    EXPECT_EQ(job(std::string(n) + " true").per_node, 2u) << n;
  }
  for (const char* f : {"-f", "-hostfile", "--hostfile", "-machinefile", "--machinefile"}) {
    folder_.file("hosts", "n1 slots=2\nn2\n");
    EXPECT_EQ(job(std::string(f) + " " + folder_.path() + "/hosts true").cluster.hosts.size(), 2u)
        << f;
  }
  for (const char* h : {"-H", "-host", "--host", "-hosts"}) {
    EXPECT_EQ(job(std::string(h) + " n1:2,n2 true").cluster.hosts.size(), 2u) << h;
  }
  for (const char* l : {"-l", "--tag-output", "-prepend-rank"}) {
    EXPECT_TRUE(job(std::string(l) + " true").out.tag) << l;
  }
  EXPECT_EQ(job("-wdir sub true").apps[0].directory, folder_.path() + "/sub");
  EXPECT_EQ(job("--wdir=/ true").apps[0].directory, "/");
  EXPECT_EQ(job("-outfile-pattern out.%r true").out.file, folder_.path() + "/out.%r");
}

TEST_F(Options, ReadEveryValue) {
  const Job j = job(
      "-n 8 --nodes 4 --name demo --map-by core:pe=2 --rank-by fill --bind-to core "
      "--oversubscribe --display-map --display-bindings --dry-run --stdin all --timestamp-output "
      "--output-dir out --timeout 1.5m --kill-grace 500ms --mpi pmi1 --finalize-breaker off -vv "
      "--json true");
  EXPECT_EQ(j.cluster.nodes, 4u);
  EXPECT_EQ(j.cluster.name, "demo");
  EXPECT_EQ(placement::to_string(*j.policy.map), "core");
  EXPECT_EQ(j.policy.modifiers.pe, 2u);
  EXPECT_TRUE(*j.policy.modifiers.oversubscribe);
  EXPECT_EQ(*j.policy.rank, placement::RankBy::fill);
  EXPECT_EQ(placement::to_string(*j.policy.bind), "core");
  EXPECT_TRUE(j.display_map && j.display_bindings && j.dry_run && j.json);
  EXPECT_EQ(j.in.to, Stdin::To::all);
  EXPECT_TRUE(j.out.timestamp);
  EXPECT_EQ(j.out.directory, folder_.path() + "/out");
  EXPECT_EQ(j.timeout.count(), 90000);
  EXPECT_EQ(j.kill_grace.count(), 500);
  EXPECT_EQ(j.mpi, Mpi::pmi1);
  EXPECT_FALSE(j.finalize_breaker);
  EXPECT_EQ(j.verbosity, 2);
}

TEST_F(Options, SayWhatMemoryNodesMayUse) {
  EXPECT_EQ(job("true").cluster.memory_budget.bytes, 0u);
  EXPECT_EQ(job("--memory-budget 512MiB true").cluster.memory_budget.bytes, 512u << 20);
  for (const char* bad : {"lots", "-1", "1KiB", "9999TiB"}) {
    EXPECT_EQ(refusal("--memory-budget '" + std::string(bad) + "' true"),
              "--memory-budget " + std::string(bad) + ": that is no size; write 512MiB or 8GiB");
  }
  EXPECT_EQ(refusal("--cluster there --memory-budget 1GiB true"),
            "--memory-budget is for nodes that krgrun starts, and those of --cluster run");
  const auto has = [](const Job& j, const char* entry) {
    const auto& all = j.apps[0].environment;
    return std::find(all.begin(), all.end(), entry) != all.end();
  };
  EXPECT_TRUE(has(job("--no-remote-memory true"), "KRG_MEMORY_REMOTE=no"));
  EXPECT_FALSE(has(job("true"), "KRG_MEMORY_REMOTE=no"));
}

TEST_F(Options, SayWhatKrgMayDoWithTheTasks) {
  using capability::Capability;
  using capability::Set;
  const auto effective = [&](const std::string& line) {
    const capability::Sets sets = job(line).apps[0].capabilities;
    EXPECT_EQ(sets.effective, sets.inheritable_effective) << line;
    EXPECT_EQ(sets.permitted, capability::kSupported) << line;
    return sets.effective;
  };
  const Set useful = capability::kUseful;
  EXPECT_EQ(effective("true"), useful);
  EXPECT_EQ(effective("--capabilities 2 true"), Set{Capability::can_migrate});
  EXPECT_EQ(effective("--capabilities -CAN_MIGRATE,see_local_proc_stat true"),
            useful.without(Capability::can_migrate).with(Capability::see_local_proc_stat));
  const Set less = useful.without(Capability::use_remote_memory);
  EXPECT_EQ(effective("--no-remote-memory true"), less);
  EXPECT_EQ(effective("--capabilities -USE_REMOTE_MEMORY true"), less);
  const auto all = job("--capabilities -USE_REMOTE_MEMORY true").apps[0].environment;
  EXPECT_EQ(std::count(all.begin(), all.end(), "KRG_MEMORY_REMOTE=no"), 1);
  EXPECT_EQ(refusal("--capabilities FLY true"), "--capabilities FLY: there is no capability 'FLY'");
  EXPECT_EQ(refusal("--capabilities DEBUG true"), "--capabilities DEBUG: krg does not have DEBUG");
}

TEST_F(Options, ReadTimes) {
  EXPECT_EQ(job("--timeout 90 true").timeout.count(), 90000);
  EXPECT_EQ(job("--timeout 90s true").timeout.count(), 90000);
  EXPECT_EQ(job("--timeout 1h true").timeout.count(), 3600000);
  around_.environment.push_back("MPIEXEC_TIMEOUT=5");
  EXPECT_EQ(job("true").timeout.count(), 5000);
  EXPECT_EQ(job("--timeout 2 true").timeout.count(), 2000);
  for (const char* bad : {"-1", "x", "5d", "", "1e99", "nan", "inf"}) {
    EXPECT_EQ(refusal("--timeout '" + std::string(bad) + "' true"),
              "--timeout " + std::string(bad) + ": that is no time; write 90, 90s, 5m or 1h");
  }
}

TEST_F(Options, SayWhetherTheJobGrows) {
  EXPECT_FALSE(job("true").elastic.grows);
  EXPECT_TRUE(job("--elastic -n 2 true").elastic.grows);
  EXPECT_EQ(job("--elastic -n 2 true").elastic.tasks_max, 0u);
  EXPECT_EQ(job("--elastic=8 true").elastic.tasks_max, 8u);
  EXPECT_EQ(job("--elastic=8 -n 8 true").elastic.tasks_max, 8u);
  EXPECT_EQ(refusal("--elastic=7 -n 8 true"), "-n 8 is more than --elastic=7 allows");
  for (const char* bad : {"0", "-1", "many", "9999999"}) {
    EXPECT_EQ(refusal("--elastic=" + std::string(bad) + " true"),
              "--elastic=" + std::string(bad) + ": that is no number of tasks from 1 to 1048576");
  }
  EXPECT_EQ(refusal("--elastic= true"),
            "option --elastic= lacks its argument: write --elastic[=MAX]");
  EXPECT_THAT(refusal("--elastic --mpi auto true"), StartsWith("--mpi is for MPI programs"));
  EXPECT_THAT(refusal("--elastic -n 1 true : -n 1 true"),
              StartsWith("--elastic grows one program"));
  EXPECT_EQ(refusal("-n 1 true : --elastic -n 1 true"),
            "option --elastic holds for all programs: write it before the first one");
}

TEST_F(Options, CutTheLineIntoPrograms) {
  const Job j = job("-l -n 1 -x A=1 ./app one : -n 3 -x B=2 -wdir sub ls -n : -n 2 true");
  ASSERT_EQ(j.apps.size(), 3u);
  EXPECT_EQ(j.apps[1].ranks, 3u);
  EXPECT_THAT(j.apps[1].argv, ElementsAre("ls", "-n"));
  EXPECT_EQ(j.apps[1].directory, folder_.path() + "/sub");
  EXPECT_THAT(j.apps[0].environment, Contains("A=1"));
  EXPECT_THAT(j.apps[1].environment, Not(Contains("A=1")));
  EXPECT_EQ(j.apps[2].program, "/bin/true");
  EXPECT_EQ(refusal("-n 1 true : -n 1 -l true"),
            "option --tag-output holds for all programs: write it before the first one");
  EXPECT_EQ(refusal("-n 1 true : true"),
            "program true needs -n: with several programs each says how many ranks it wants");
  EXPECT_THAT(refusal("-n 1 true :"), HasSubstr("no program after"));
  EXPECT_THAT(refusal(": true"), HasSubstr("no program before"));
}

TEST_F(Options, GiveProgramsHostsOfTheirOwn) {
  const Job j = job("-n 2 -H n1:2 hostname : -n 1 -H n2,n1 hostname");
  EXPECT_EQ(j.cluster.hosts, (std::vector<placement::Host>{{"n1", 3, 0}, {"n2", 1, 0}}));
  EXPECT_THAT(j.apps[0].hosts, ElementsAre("n1"));
  EXPECT_THAT(j.apps[1].hosts, ElementsAre("n2", "n1"));
  EXPECT_EQ(j.apps[1].program, "hostname") << "other machines find their own";
}

TEST_F(Options, ReadProgramsFromAFile) {
  folder_.file(
      "programs",
      "# a comment\n-n 1 ./app 'two words' # rest\n\n-n 2 -x A=1 ./app \"a \\\" b\" c\\ d\n");
  const Job k = job("-l --configfile programs");
  ASSERT_EQ(k.apps.size(), 2u);
  EXPECT_THAT(k.apps[0].argv, ElementsAre("./app", "two words"));
  EXPECT_THAT(k.apps[1].argv, ElementsAre("./app", "a \" b", "c d"));
  EXPECT_EQ(k.apps[1].ranks, 2u);
  EXPECT_TRUE(k.out.tag);
}

TEST_F(Options, RefuseAConfigurationFileThatIsWrong) {
  EXPECT_EQ(refusal("--configfile " + folder_.file("p1", "-n 1 'x\n")),
            folder_.path() + "/p1:1: a quote is not closed");
  EXPECT_EQ(refusal("--configfile " + folder_.file("p2", "# none\n")),
            folder_.path() + "/p2: no program in it");
  EXPECT_EQ(refusal("--configfile " + folder_.file("p3", "-n 1\n")),
            folder_.path() + "/p3: a line without a program: -n 1");
  EXPECT_EQ(refusal("--configfile p3 true"),
            "--configfile names the programs: leave out what follows it");
  EXPECT_THAT(refusal("--configfile /nonexistent"),
              StartsWith("configuration file /nonexistent can not be read: No such file"));
}

TEST_F(Options, MakeTheEnvironment) {
  auto environment = [this](const std::string& text) { return job(text).apps[0].environment; };
  EXPECT_THAT(environment("-genvnone true"), ElementsAre());
  EXPECT_THAT(environment("-genvlist HOME,FOO_A true"), ElementsAre("HOME=/home/me", "FOO_A=1"));
  EXPECT_THAT(environment("-genvnone -genv A 1 -env B 2 -x C=3 -x FOO_* true"),
              ElementsAre("A=1", "B=2", "C=3", "FOO_A=1", "FOO_B=2"));
  EXPECT_THAT(environment("-genvnone -genv A 1 -x A=2 true"), ElementsAre("A=2"));
  EXPECT_THAT(environment("-genvall -envnone -x FOO_A true"), ElementsAre("FOO_A=1"));
  EXPECT_THAT(environment("-x HOME=/x true"), Contains("HOME=/x"));
  const Parsed parsed = line("-x NOT_SET true");
  EXPECT_TRUE(parsed.job);
  EXPECT_THAT(parsed.warnings, ElementsAre("-x: NOT_SET is not set, so it is not passed on"));
  EXPECT_EQ(refusal("-x =3 true"), "-x =3: that is no name of a variable");
  EXPECT_EQ(refusal("-x 1BAD=2 true"), "-x 1BAD=2: that is no name of a variable");
  EXPECT_EQ(refusal("-env 1BAD 2 true"), "--env 1BAD: that is no name of a variable");
  EXPECT_EQ(refusal("-genv 'A B' 3 true"), "--genv A B: that is no name of a variable");
  EXPECT_EQ(refusal("-envall -envnone true"),
            "--envall, --envnone and --envlist exclude each other: leave all but one out");
}

TEST_F(Options, ChooseTheCluster) {
  EXPECT_EQ(job("--cluster prod true").cluster.kind, ClusterChoice::Kind::standing);
  EXPECT_EQ(job("--cluster prod -H n1 true").cluster.hosts.size(), 1u);
  EXPECT_EQ(job("-H localhost:4 true").cluster.kind, ClusterChoice::Kind::embedded);
  EXPECT_TRUE(job("-H login:4 true").cluster.slots_stated);
  EXPECT_EQ(job("-H localhost,n1 --launch-agent sh true").cluster.kind, ClusterChoice::Kind::hosts);
  EXPECT_EQ(job("-H n[1-4]:2 --nodes 2 true").cluster.hosts.size(), 2u);
  around_.settings.cluster.name = "standing";
  EXPECT_EQ(job("true").cluster.name, "standing");
  EXPECT_EQ(job("true").cluster.kind, ClusterChoice::Kind::standing);
  EXPECT_EQ(job("--nodes 2 true").cluster.kind, ClusterChoice::Kind::embedded);
  EXPECT_EQ(job("-H n1 true").cluster.kind, ClusterChoice::Kind::hosts);
}

TEST_F(Options, RefuseWhatCanNotBe) {
  EXPECT_EQ(refusal(""), "no program given: try krgrun --help");
  EXPECT_EQ(refusal("-n 4"), "no program given: try krgrun --help");
  EXPECT_EQ(refusal("-n 0 true"), "-n 0: at least one is needed");
  EXPECT_EQ(refusal("-n x true"), "-n x: that is no number of ranks");
  EXPECT_EQ(refusal("-n -3 true"), "-n -3: that is no number of ranks");
  EXPECT_EQ(refusal("-n '' true"), "-n wants a number of ranks");
  EXPECT_EQ(refusal("-n 99999999 true"), "-n 99999999: too many, 1048576 ranks are the limit");
  EXPECT_EQ(refusal("-n 99999999999999999999 true"),
            "-n 99999999999999999999: too many, 1048576 ranks are the limit");
  EXPECT_EQ(refusal("-n 1 -np 2 true"), "option -np is given twice: leave one out");
  EXPECT_EQ(refusal("--nodes 0 true"), "--nodes 0: at least one is needed");
  EXPECT_EQ(refusal("--nodes 3 -H n1,n2 true"), "--nodes 3: that is more than the 2 given hosts");
  EXPECT_EQ(refusal("--ppn 0 true"), "--ppn 0: at least one is needed");
  EXPECT_EQ(refusal("-n 2 --stdin 2 true"), "--stdin 2: ranks go from 0 to 1");
  EXPECT_EQ(refusal("--stdin some true"), "--stdin some: use a rank, all or none");
  EXPECT_EQ(refusal("--mpi pmi2 true"), "--mpi pmi2: use auto, pmix or pmi1");
  EXPECT_EQ(refusal("--finalize-breaker 1 true"), "--finalize-breaker 1: use on or off");
  EXPECT_EQ(refusal("-q -v true"), "-q contradicts -v: leave one out");
  EXPECT_EQ(refusal("--output-file out.%x true"),
            "--output-file out.%x: after '%' stands r, h, j, p or '%'");
  EXPECT_EQ(refusal("--output-dir data true"), "--output-dir data: that is no directory");
  EXPECT_EQ(refusal("--name a/b true"),
            "--name a/b: use at most 63 letters, digits, '-', '_' or '.'");
  EXPECT_EQ(refusal("--cluster c --nodes 2 true"),
            "--cluster joins a cluster that stands, so --nodes has no meaning: leave one out");
  EXPECT_EQ(refusal("--cluster c --dry-run true"),
            "--dry-run does not ask cluster c for its nodes: name hosts with -H");
  EXPECT_EQ(refusal("--oversubscribe --map-by :nooversubscribe true"),
            "--oversubscribe contradicts --map-by ...:NOOVERSUBSCRIBE: leave one out");
  EXPECT_EQ(refusal("--map-by seq true"),
            "--map-by seq wants hosts in order: give --hostfile, -H or seq:FILE=PATH");
  EXPECT_EQ(refusal("--frobnicate true"), "unknown option --frobnicate: --help lists all");
}

TEST_F(Options, RefuseAProgramThatIsNotThere) {
  EXPECT_EQ(refusal("./missing"), "program ./missing does not exist");
  EXPECT_EQ(refusal("missing"), "program missing is not in PATH");
  EXPECT_EQ(refusal("app"),
            "program app is not in PATH: for the one in this directory write ./app");
  EXPECT_EQ(refusal("./data"), "program ./data is not executable: try chmod +x ./data");
  EXPECT_EQ(refusal("./sub"), "program ./sub is a directory");
  EXPECT_EQ(refusal("-wdir /nonexistent true"), "--wdir /nonexistent: no such directory");
  EXPECT_EQ(job("-x PATH=" + folder_.path() + " app").apps[0].program, folder_.path() + "/app");
}

TEST_F(Options, RefuseHostsThatAreNotThere) {
  EXPECT_EQ(refusal("-H n1,other true"), "host other is unknown: its name has no address");
  EXPECT_EQ(job("-H other --launch-agent sh true").cluster.hosts[0].name, "other")
      << "an agent has names of its own";
  std::filesystem::create_directory(folder_.path() + "/bin");
  folder_.file("bin/ssh", "#!/bin/sh\n", 0755);
  EXPECT_EQ(refusal("-H other --launch-agent ssh true"),
            "host other is unknown: its name has no address");
  EXPECT_EQ(refusal("-H other --launch-agent 'no-agent -v' true"),
            "--launch-agent: program no-agent is not in PATH");
  EXPECT_EQ(refusal("--hostfile /nonexistent true"),
            "hostfile /nonexistent can not be read: No such file or directory");
  EXPECT_EQ(refusal("-f " + folder_.file("bad", "n1\nn2 slots=0\n") + " true"),
            folder_.path() + "/bad:2: 'slots=0' wants a number of at least 1");
  EXPECT_EQ(refusal("-f " + folder_.file("few", "n1 slots=1\n") + " -H n2 true"),
            "host n2 is not in the hostfile");
}

TEST_F(Options, RefuseMoreRanksThanSlots) {
  EXPECT_EQ(refusal("-n 5 -H n1:2,n2:2 true"),
            "5 ranks asked for, but 2 hosts come with 4 slots: give more hosts or slots, or add "
            "--oversubscribe");
  EXPECT_EQ(refusal("-n 3 -H localhost true"),
            "3 ranks asked for, but 1 host comes with 1 slot: give more hosts or slots, or add "
            "--oversubscribe");
  EXPECT_EQ(job("-n 5 -H n1:2,n2:2 --oversubscribe true").apps[0].ranks, 5u);
}

TEST_F(Options, KeepTheOrderOfHostsForSeq) {
  EXPECT_EQ(job("--map-by seq -H n2,n1,n2 true").placement_file, "n2\nn1\nn2");
  folder_.file("hosts", "n2\nn1\n");
  EXPECT_EQ(job("--map-by seq -f " + folder_.path() + "/hosts true").placement_file, "n2\nn1\n");
  folder_.file("ranks", "rank 0=n1\n");
  EXPECT_EQ(job("--map-by rankfile:file=ranks -H n1 true").placement_file, "rank 0=n1\n");
}

TEST_F(Options, GoBeforeSettings) {
  std::filesystem::create_directory(folder_.path() + "/bin");
  folder_.file("bin/agent", "#!/bin/sh\n", 0755);
  around_.settings.launch.agent = "agent";
  around_.settings.launch.kill_grace = std::chrono::seconds(7);
  const Job set = job("-H other true");
  EXPECT_EQ(set.cluster.launch_agent, "agent");
  EXPECT_EQ(set.kill_grace.count(), 7000);
  const Job given = job("--launch-agent a --kill-grace 1 true");
  EXPECT_EQ(given.cluster.launch_agent, "a");
  EXPECT_EQ(given.kill_grace.count(), 1000);
}

TEST_F(Options, AnswerHelpAndVersion) {
  const Parsed help = line("-n 4 --help");
  EXPECT_FALSE(help.job);
  EXPECT_EQ(help.exit_code, 0);
  EXPECT_THAT(help.out, StartsWith("Usage: krgrun "));
  EXPECT_THAT(line("--version").out, StartsWith("krgrun "));
  EXPECT_THAT(line("--bash-completion").out, HasSubstr("complete -F _krgrun krgrun"));
}

TEST_F(Options, OfTheTableAreEachReadSomewhere) {
  std::vector<std::string_view> keys;
  for (const cli::Option& option : command().options) {
    EXPECT_THAT(keys, Not(Contains(cli::key_of(option)))) << "a spelling stands twice";
    keys.push_back(cli::key_of(option));
  }
  EXPECT_GT(keys.size(), 35u);
}

}  // namespace
}  // namespace krg::krgrun
