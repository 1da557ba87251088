#!/usr/bin/env python3
"""Every bench takes --transport, --size and --json, refuses in one line what means nothing to it,
and prints JSON lines with the members that readers of the figures count on.

usage: benches_test.py FOLDER     of the built benches
"""

import json
import pathlib
import subprocess
import sys
import unittest

REQUIRED = {"bench", "row", "transport", "size", "unit", "krg", "base", "ratio"}
SHORT = ["--rounds", "1", "--run-ms", "5", "--no-pin"]

# Of each bench: the transports that it takes, and the options of a short run at a size of its own.
RPC = {"takes": ("shm", "tcp", "sim"), "run": ["--transport", "sim", *SHORT], "size": 96}
KDDM = {"takes": ("shm", "tcp"), "run": [*SHORT, "--nodes", "3"], "size": 6000}
CHANNEL = {"takes": ("shm", "tcp"), "run": SHORT, "size": 1500}
BENCHES = {
    "krg_rpc_latency": RPC,
    "krg_rpc_rate": RPC,
    "krg_rpc_bw": {**RPC, "size": 20000},
    "krg_kddm_latency": KDDM,
    "krg_kddm_rate": KDDM,
    "krg_kddm_bw": KDDM,
    "krg_channel_rate": CHANNEL,
    "krg_raw_peers": {"takes": ("shm", "tcp"), "run": SHORT, "size": 2048},
    "krg_wait_policy": {"takes": ("shm", "tcp"), "run": [*SHORT, "--row", "1 pair, 0"], "size": 500},
    "krg_gate_latency": {"takes": ("shm",), "run": SHORT, "size": 300},
    "krg_mm_latency": {"takes": ("shm", "tcp"), "run": [*SHORT, "--row", "read_here"],
                       "size": 4096},
    "krg_launch": {"takes": ("shm", "tcp"), "run": [*SHORT[:2], "--row", "/bin/true, 1 node"],
                   "size": 2},
}


class Benches(unittest.TestCase):
    folder = pathlib.Path()

    def start(self, bench, *options):
        return subprocess.run([self.folder / bench, *options], capture_output=True, text=True,
                              timeout=100, check=False)

    def refused(self, bench, *options):
        ended = self.start(bench, *options)
        self.assertEqual(ended.returncode, 2, ended)
        self.assertEqual(ended.stdout, "")
        self.assertRegex(ended.stderr, rf"\A{bench}: [^\n]+\n\Z")
        return ended.stderr

    def test_the_folder_holds_these_benches_and_no_other(self):
        self.assertEqual({path.name for path in self.folder.glob("krg_*")}, set(BENCHES))

    def test_help_names_the_common_options_and_the_base(self):
        for bench in BENCHES:
            with self.subTest(bench=bench):
                ended = self.start(bench, "--help")
                self.assertEqual(ended.returncode, 0)
                self.assertEqual(ended.stderr, "")
                for word in ("--transport", "--size", "--json", "base: "):
                    self.assertIn(word, ended.stdout)

    def test_a_transport_that_means_nothing_is_refused_with_the_reason(self):
        for bench, about in BENCHES.items():
            with self.subTest(bench=bench):
                for transport in ("shm", "tcp", "sim"):
                    if transport not in about["takes"]:
                        line = self.refused(bench, "--transport", transport)
                        self.assertIn("only " + " or ".join(about["takes"]), line)

    def test_what_nobody_knows_is_refused(self):
        for bench in BENCHES:
            with self.subTest(bench=bench):
                self.assertIn("pigeon", self.refused(bench, "--transport", "pigeon"))
                self.assertIn("--size", self.refused(bench, "--size", "many"))
                self.assertIn("--size", self.refused(bench, "--size", str(1 << 40)))
                self.assertIn("--colour", self.refused(bench, "--colour"))

    def test_no_bandwidth_without_bytes_and_no_job_without_ranks(self):
        for bench in ("krg_rpc_bw", "krg_launch"):
            self.assertIn("from 1 to", self.refused(bench, "--size", "0"))

    def test_hosts_that_share_no_memory_are_not_asked_to(self):
        self.assertIn("only tcp", self.refused("krg_launch", "--hosts", "2", "--transport", "shm"))

    def test_json_is_one_object_a_line_with_the_size_that_was_asked_for(self):
        for bench, about in BENCHES.items():
            with self.subTest(bench=bench):
                ended = self.start(bench, "--json", "--size", str(about["size"]), *about["run"])
                self.assertEqual(ended.returncode, 0, ended.stderr)
                lines = [json.loads(line) for line in ended.stdout.splitlines()]
                self.assertTrue(lines)
                for line in lines:
                    self.check_line(bench, about, line)

    def check_line(self, bench, about, line):
        self.assertLessEqual(REQUIRED, set(line), line)
        self.assertEqual(line["bench"], bench)
        self.assertEqual(line["size"], about["size"], line)
        self.assertEqual(line["transport"], "sim" if "sim" in about["run"] else "shm")
        self.assertGreater(line["base"], 0)
        self.assertTrue(line["peer"] and line["row"] and line["unit"], line)
        if bench == "krg_raw_peers":  # krg does not play there.
            self.assertIsNone(line["krg"])
            self.assertIsNone(line["ratio"])
            return
        self.assertGreater(line["krg"], 0)
        self.assertAlmostEqual(line["ratio"], line["krg"] / line["base"], places=6)


if __name__ == "__main__":
    Benches.folder = pathlib.Path(sys.argv.pop(1))
    unittest.main()
