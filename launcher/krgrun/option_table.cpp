#include "krg/krgrun/options.h"

namespace krg::krgrun {
namespace {

constexpr std::string_view kPlaces =
    "slot node hwthread core l1cache l2cache l3cache numa package seq ppr: rankfile:FILE= pe-list=";

constexpr cli::Option kOptions[] = {
    {"-n,-np,--np", "N", "Number of ranks; without it, one per slot", "Ranks and programs"},
    {"-N,--ppn,--npernode", "N", "At most N ranks on each node; without -n, exactly N",
     "Ranks and programs"},
    {"--elastic", "[=MAX]",
     "Start tasks on nodes that join while the job runs, and go on without nodes that fail; at "
     "most "
     "MAX tasks at a time; not for MPI",
     "Ranks and programs"},
    {"--wdir,-wd", "DIR", "Run the program in DIR", "Ranks and programs", "@directory"},
    {"--configfile", "FILE", "Read the programs from FILE, one per line, instead of ':'",
     "Ranks and programs", "@file"},

    {"--nodes", "N", "Without hosts: N nodes inside this machine; with hosts: use the first N",
     "Hosts"},
    {"-f,--hostfile,--machinefile", "FILE",
     "Read the hosts from FILE: 'node[01-04] slots=4 max_slots=8', one host or range per line",
     "Hosts", "@file"},
    {"-H,--host,--hosts", "LIST",
     "Run on these hosts: a:2,b is two slots on a and one on b; with a hostfile, choose from it",
     "Hosts", "@host"},
    {"--launch-agent", "CMD", "Start remote nodes by 'CMD host command...' (default: ssh)", "Hosts",
     "ssh"},
    {"--name", "NAME", "Call the cluster of this job NAME, so that other commands find it",
     "Hosts"},
    {"--cluster", "NAME", "Run on the standing cluster NAME instead of starting one", "Hosts"},

    {"--map-by", "PLACE[:MODIFIER...]",
     "Deal ranks to: slot, node, hwthread, core, l1cache, l2cache, l3cache, numa, package, "
     "ppr:N:PLACE, seq, rankfile:FILE=PATH, pe-list=LIST; modifiers: PE=N, SPAN, OVERSUBSCRIBE, "
     "NOOVERSUBSCRIBE, NOLOCAL, HWTCPUS, CORECPUS, INHERIT, ORDERED",
     "Placement", kPlaces},
    {"--rank-by", "ORDER", "Number the ranks by slot, node, fill or span", "Placement",
     "slot node fill span"},
    {"--bind-to", "PLACE[:MODIFIER...]",
     "Bind each rank to: none, hwthread, core, l1cache, l2cache, l3cache, numa, package; "
     "modifiers: OVERLOAD-ALLOWED, IF-SUPPORTED, LIMIT=N, REPORT",
     "Placement", "none hwthread core l1cache l2cache l3cache numa package"},
    {"--oversubscribe", "", "Allow more ranks than slots", "Placement"},
    {"--display-map", "", "Show which rank runs where", "Placement"},
    {"--display-bindings", "", "Show the cpus of every rank", "Placement"},
    {"--dry-run", "", "Show the map and start nothing; hosts are taken to look like this machine",
     "Placement"},

    {"-x",
     "VAR[=VALUE]",
     "Give the program a variable; VAR* is every variable that begins so",
     "Environment",
     {},
     true},
    {"--env", "VAR VALUE", "The same, in two words", "Environment", {}, true},
    {"--envlist", "LIST", "Give the program only these variables of ours", "Environment"},
    {"--envall", "", "Give the program all of our variables", "Environment"},
    {"--envnone", "", "Give the program none of our variables", "Environment"},
    {"--genv", "VAR VALUE", "Give every program a variable", "Environment", {}, true},
    {"--genvlist", "LIST", "Give every program only these variables of ours", "Environment"},
    {"--genvall", "", "Give every program all of our variables (the default)", "Environment"},
    {"--genvnone", "", "Give every program none of our variables", "Environment"},

    {"--stdin", "WHO", "Who reads our standard input: a rank, all or none (default: 0)",
     "Input and output", "0 all none"},
    {"-l,--tag-output,--prepend-rank", "", "Begin every line with the rank it comes from",
     "Input and output"},
    {"--timestamp-output", "", "Begin every line with the time", "Input and output"},
    {"--output-dir", "DIR", "Write the output to DIR/rank.N.out and DIR/rank.N.err",
     "Input and output", "@directory"},
    {"--output-file,--outfile-pattern", "PATTERN",
     "Write the output to files named so: %r is the rank, %h the host, %j the job, %p the process",
     "Input and output", "@file"},

    {"--timeout", "TIME", "End the job after this time: 90, 90s, 5m, 1h; the exit code is 124",
     "Running"},
    {"--kill-grace", "TIME", "From SIGTERM to SIGKILL when the job is ended (default: 2s)",
     "Running"},
    {"--memory-budget", "SIZE",
     "What each node of the cluster may use for shared memory: 512MiB, 8GiB (default: 80 % of it)",
     "Running"},
    {"--no-remote-memory", "",
     "Keep the pages of the program's regions where they are, also when the node is full",
     "Running"},
    {"--capabilities", "LIST",
     "What krg may do with the program: an octal mask, or [+|-]NAME,... (default: all of use)",
     "Running"},
    {"--mpi", "KIND", "How MPI programs find each other: pmix, pmi1, or auto for both", "Running",
     "auto pmix pmi1"},
    {"--finalize-breaker", "SWITCH",
     "Free MPICH ranks that wait for each other in MPI_Finalize: on or off (default: on)",
     "Running", "on off"},

    {"-q,--quiet", "", "Say nothing but errors", "Messages"},
    {"-v,--verbose", "", "Say more; twice for still more", "Messages", {}, true},
    {"--json", "", "Maps and reports as JSON", "Messages"},
};

constexpr std::string_view kExamples =
    "Several programs stand one after the other, with ':' between them. Options of one program: "
    "-n,\n"
    "-H, -x, --env..., --wdir; the others stand before the first program and hold for all.\n"
    "Every long option may be written with one dash.\n"
    "\n"
    "Examples:\n"
    "  krgrun -n 4 ./app                         four ranks on this machine\n"
    "  krgrun --nodes 4 -n 64 -l ./app           four nodes inside this machine, tagged output\n"
    "  krgrun -f hosts --map-by package:PE=4 ./app    four cores for each rank\n"
    "  krgrun -n 1 ./master : -n 7 -x ROLE=worker ./worker\n"
    "  krgrun --elastic=64 --ppn 4 ./worker      four tasks on each node, also on those to come\n";

constexpr cli::Command kCommand{
    .name = "krgrun",
    .summary = "Runs a parallel program on a cluster",
    .usage = "[OPTION...] PROGRAM [ARGUMENT...] [: [OPTION...] PROGRAM [ARGUMENT...]]...",
    .options = kOptions,
    .runs_program = true,
    .footer = kExamples,
};

}  // namespace

const cli::Command& command() { return kCommand; }

}  // namespace krg::krgrun
