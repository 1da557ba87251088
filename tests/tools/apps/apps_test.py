#!/usr/bin/env python3
"""A numeric program of bench/app gives the serial result with threads and on one, two and four
nodes, sends no less than its own analytic minimum, and notices a result that is wrong.

usage: apps_test.py FOLDER APP     of the built programs; jacobi, lu, ...
"""

import json
import pathlib
import subprocess
import sys
import unittest

# Small; not a power of two where the program does not ask for one.
OPTIONS = {
    "jacobi": ["--size", "203", "--iterations", "6"],
    "lu": ["--size", "320"],
    "radix": ["--size", str(1024 * 37)],
    "bfs": ["--size", str(1024 * 128)],
}


class App(unittest.TestCase):
    folder = pathlib.Path()
    app = ""

    def start(self, *options):
        return subprocess.run([self.folder / f"krg_app_{self.app}", *options], capture_output=True,
                              text=True, timeout=200, check=False)

    def test_results_are_right_and_the_traffic_is_at_least_the_minimum(self):
        ended = self.start(*OPTIONS[self.app], "--rounds", "1", "--nodes", "1,2,4", "--json")
        self.assertEqual(ended.returncode, 0, ended.stderr)
        lines = [json.loads(line) for line in ended.stdout.splitlines()]
        self.assertEqual([line["nodes"] for line in lines], [1, 1, 2, 4])
        for line in lines:
            self.assertEqual(line["bench"], f"krg_app_{self.app}")
            self.assertGreater(line["ms"], 0)
            self.assertGreater(line["iterations"], 0)
            if line["nodes"] == 1:
                self.assertEqual(line["minimum_bytes"], 0, line)
                # So what is counted on more nodes has gone from one to another.
                self.assertEqual((line["messages"], line["bytes"]), (0, 0), line)
                continue
            self.assertGreater(line["minimum_bytes"], 0, line)
            self.assertGreaterEqual(line["bytes_ratio"], 1, line)
            self.assertGreaterEqual(line["messages_ratio"], 1, line)

    def test_without_hints_it_is_right_too(self):
        ended = self.start(*OPTIONS[self.app], "--rounds", "1", "--nodes", "4", "--no-hints")
        self.assertEqual(ended.returncode, 0, ended.stderr)
        self.assertIn("krg, 4 nodes", ended.stdout)

    def test_with_release_consistency_it_is_right_too(self):
        ended = self.start(*OPTIONS[self.app], "--rounds", "1", "--nodes", "2,4", "--json",
                           "--consistency", "release")
        self.assertEqual(ended.returncode, 0, ended.stderr)
        for line in ended.stdout.splitlines():
            self.assertEqual(json.loads(line)["consistency"], "release")

    def jacobi(self, iterations):
        """nodes -> (bytes of all iterations, the least of one)"""
        ended = self.start("--size", "203", "--iterations", str(iterations), "--rounds", "1",
                           "--nodes", "2,4", "--json", "--consistency", "release")
        self.assertEqual(ended.returncode, 0, ended.stderr)
        lines = [json.loads(line) for line in ended.stdout.splitlines()]
        return {line["nodes"]: (line["bytes"] * iterations, line["minimum_bytes"])
                for line in lines if line["nodes"] > 1}

    def test_release_consistency_sends_what_others_read(self):
        if self.app != "jacobi":
            return
        # In the first steps nodes find out which pages they have for themselves; how many steps that
        # takes depends on the load. All pages in every step would be a hundred times the least.
        few, many = self.jacobi(40), self.jacobi(120)
        for nodes, (all_bytes, least) in many.items():
            self.assertLess((all_bytes - few[nodes][0]) / 80, 16 * least, (nodes, few, many))

    def test_a_wrong_value_is_seen(self):
        ended = self.start(*OPTIONS[self.app], "--rounds", "1", "--nodes", "2", "--spoil")
        self.assertEqual(ended.returncode, 1)
        self.assertEqual(ended.stdout, "")
        for row in ("native", "krg, 2 nodes"):
            self.assertIn(f"krg_app_{self.app}: {row}: the result is wrong\n", ended.stderr)

    def test_what_means_nothing_is_refused(self):
        for options in (["--size", "many"], ["--size", "0"], ["--colour"], ["--nodes", "3"],
                        ["--consistency", "much"]):
            with self.subTest(options=options):
                ended = self.start(*options)
                self.assertEqual(ended.returncode, 2, ended)
                self.assertEqual(ended.stdout, "")
                self.assertRegex(ended.stderr, rf"\Akrg_app_{self.app}: [^\n]+\n\Z")

    def test_help_says_what_the_base_is(self):
        ended = self.start("--help")
        self.assertEqual(ended.returncode, 0)
        for word in ("--size", "--rounds", "--nodes", "--json", "base is the same source"):
            self.assertIn(word, ended.stdout)


if __name__ == "__main__":
    App.app = sys.argv.pop(2)
    App.folder = pathlib.Path(sys.argv.pop(1))
    unittest.main()
