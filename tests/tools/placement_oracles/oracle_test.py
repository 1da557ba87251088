#!/usr/bin/env python3
"""usage: oracle_test.py openmpi|hydra KRGRUN [all]

Goal    where the words mean the same, krgrun binds every rank to the cpus that Open MPI's mpirun
        and MPICH's Hydra bind it to.
Method  asks both for a map on machines that do not exist (hwloc's XML) without starting anything,
        and compares rank by rank. A case that only one of them answers is a failure. `all` adds
        numbers of ranks between the first and the last.
"""

import json
import math
import os
import re
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor

SHAPES = {
    "two packages, threads": "pack:2 numa:1 l3:1 l2:4 core:1 pu:2",
    "four numa nodes": "pack:2 numa:2 l3:1 l2:1 core:4 pu:1",
    "caches of three cores": "pack:1 numa:1 l3:4 l2:3 core:1 pu:1",
}
CORES = {"two packages, threads": 8, "four numa nodes": 16, "caches of three cores": 12}

# (our options, Open MPI's options); {n} is the number of ranks.
OPENMPI = [
    ("--map-by core --bind-to core", "--map-by core --bind-to core"),
    ("--map-by slot --bind-to core", "--map-by slot --bind-to core"),
    ("--map-by package --bind-to core", "--map-by socket --bind-to core"),
    ("--map-by package --bind-to package", "--map-by socket --bind-to socket"),
    ("--map-by numa --bind-to core", "--map-by numa --bind-to core"),
    ("--map-by numa --bind-to numa", "--map-by numa --bind-to numa"),
    ("--map-by l3cache --bind-to core", "--map-by l3cache --bind-to core"),
    ("--map-by l3cache --bind-to l3cache", "--map-by l3cache --bind-to l3cache"),
    ("--map-by package --rank-by fill --bind-to core",
     "--map-by socket --rank-by core --bind-to core"),
    ("--map-by core --bind-to none", "--map-by core --bind-to none"),
]
# The same on three nodes.
OPENMPI_NODES = [
    ("--map-by slot --bind-to core", "--map-by slot --bind-to core"),
    ("--map-by node --bind-to core", "--map-by node --bind-to core"),
    ("--map-by node --rank-by slot --bind-to none", "--map-by node --rank-by slot --bind-to none"),
    ("--map-by slot --rank-by node --bind-to none", "--map-by slot --rank-by node --bind-to none"),
    ("--map-by package --bind-to core", "--map-by socket --bind-to core"),
    ("--map-by ppr:1:node --bind-to none", "--map-by ppr:1:node --bind-to none"),
]
HYDRA = [
    ("--map-by core --bind-to core", "-bind-to core"),
    ("--map-by hwthread --bind-to hwthread", "-bind-to hwthread"),
    ("--map-by package --bind-to package", "-bind-to socket"),
    ("--map-by package --bind-to core", "-bind-to core -map-by socket"),
    ("--map-by numa --bind-to core", "-bind-to core -map-by numa"),
    ("--map-by l3cache --bind-to l3cache", "-bind-to l3cache"),
]


def run(words, environment, check=True):
    done = subprocess.run(words, env={**os.environ, **environment}, capture_output=True, text=True,
                          timeout=60, check=False)
    if check and done.returncode != 0:
        raise AssertionError(f"{' '.join(words)}: {done.stdout}{done.stderr}")
    return done.stdout + done.stderr


def cpus_of(text):
    """'0-2,5' as a set."""
    cpus = set()
    for part in filter(None, text.split(",")):
        first, _, last = part.partition("-")
        cpus.update(range(int(first), int(last or first) + 1))
    return cpus


def ours(krgrun, xml, hosts, options, ranks):
    """rank -> (node, cpus)"""
    # An agent is named so that nobody looks for the hosts.
    words = [krgrun, "--dry-run", "--json", "--launch-agent", "ssh", "-H", hosts, "-n", str(ranks),
             *options.split(), "/bin/true"]
    shown = json.loads(run(words, {"HWLOC_XMLFILE": xml, "HWLOC_THISSYSTEM": "0"}))
    return {r["rank"]: (r["node"], cpus_of(r["cpus"])) for r in shown["ranks"]}


def picture_cpus(picture):
    """'[BB/..][../..]': the threads that are B, counted from the left; 'UNBOUND' has none."""
    if not picture.startswith("["):
        return set()
    threads = [c for c in picture if c in "B."]
    return {i for i, c in enumerate(threads) if c == "B"}


def openmpi(xml, hosts, options, ranks):
    words = ["mpirun.openmpi", "--allow-run-as-root", "--display-devel-map", "--do-not-launch",
             "--host", hosts, *options.split(), "-np", str(ranks)]
    environment = {"HWLOC_XMLFILE": xml, "HWLOC_THISSYSTEM": "0"}
    # It fails at the end, whatever the map, because nothing was launched.
    shown = run([*words, "/bin/true"], environment, check=False)
    found, node, rank = {}, -1, None
    for line in shown.splitlines():
        if line.strip().startswith("Data for node:"):
            node += 1
        proc = re.search(r"Data for proc: \[\[\d+,\d+\],(\d+)\]", line)
        if proc:
            rank = int(proc.group(1))
        binding = re.match(r"\s*Binding: (.*)", line)
        if binding and rank is not None:
            found[rank] = (node, picture_cpus(binding.group(1)))
    if not found:
        raise AssertionError(f"{' '.join(words)} shows no map: {shown}")
    return found


def hydra(xml, _hosts, options, ranks):
    words = ["mpiexec.hydra", "-n", str(ranks), *options.split(), "/bin/true"]
    variables = {"HWLOC_XMLFILE": xml, "HWLOC_THISSYSTEM": "0", "HYDRA_TOPO_DEBUG": "1"}
    # On a busy machine Hydra itself fails now and then, without a word: 3 of 87 once.
    for last in (False, False, True):
        try:
            shown = run(words, variables)
            break
        except AssertionError:
            if last:
                raise
    return {int(rank): (0, {i for i, c in enumerate(mask) if c == "1"})
            for rank, mask in re.findall(r"process (\d+) binding: ([01]+)", shown)}


def cases(oracle, every):
    for shape in SHAPES:
        cores = CORES[shape]
        for mine, theirs in OPENMPI if oracle == "openmpi" else HYDRA:
            for ranks in sorted({2, cores - 1, cores} | ({1, 5} if every else set())):
                yield shape, 1, ranks, mine, theirs
        if oracle == "openmpi":
            for mine, theirs in OPENMPI_NODES:
                few = [2, cores + 3, 3 * cores]
                for ranks in [2, 3] if "ppr" in mine else few + ([3, 4, cores] if every else []):
                    yield shape, 3, ranks, mine, theirs


def comparable(shape, ranks_on_cpus):
    """Bound to every cpu of the node is shown as not bound by some."""
    every = cpus_in(shape)
    return {rank: (node, set() if len(cpus) == every else cpus)
            for rank, (node, cpus) in ranks_on_cpus.items()}


def cpus_in(shape):
    """The product of the numbers in a synthetic description."""
    return math.prod(int(n) for n in re.findall(r":(\d+)", SHAPES[shape]))


def differs(ask, krgrun, files, case):
    """What is wrong with a case; None: nothing."""
    shape, nodes, ranks, mine, theirs = case
    names = ["localhost"] if nodes == 1 else [f"node{i}" for i in range(nodes)]
    hosts = ",".join(f"{name}:{CORES[shape]}" for name in names)
    what = f"{shape}, {nodes} nodes, {ranks} ranks, {mine} against {theirs}"
    try:
        expected = comparable(shape, ask(files[shape], hosts, theirs, ranks))
        found = comparable(shape, ours(krgrun, files[shape], hosts, mine, ranks))
    except (AssertionError, subprocess.TimeoutExpired) as error:
        return f"{what}: {error}"
    return None if found == expected else f"{what}:\n  ours   {found}\n  theirs {expected}"


def main():
    oracle, krgrun = sys.argv[1:3]
    every = sys.argv[3:] == ["all"]
    ask = openmpi if oracle == "openmpi" else hydra
    with tempfile.TemporaryDirectory(prefix="krg_oracle_") as folder:
        files = {}
        for number, (shape, text) in enumerate(SHAPES.items()):
            files[shape] = f"{folder}/{number}.xml"
            run(["lstopo-no-graphics", "--no-io", "--input", text, files[shape]], {})
        # A launcher mostly waits for its own daemons to end: eight at a time.
        with ThreadPoolExecutor(max_workers=8) as workers:
            wrong = list(workers.map(lambda case: differs(ask, krgrun, files, case),
                                     cases(oracle, every)))
    for what in filter(None, wrong):
        print(what)
    failures = sum(what is not None for what in wrong)
    print(f"{len(wrong)} maps compared, {failures} differ")
    return 1 if failures or not wrong else 0


if __name__ == "__main__":
    sys.exit(main())
