#!/usr/bin/env python3
"""usage: full_output_test.py BIN

Goal    a command whose standard output takes nothing says why, in one line, and ends with exit
        code 1; krgd says what is wrong with a line that is not for it.
Method  the real commands, with /dev/full as their standard output.
"""

import pathlib
import subprocess
import sys

LINES = [
    ["krgrun", "--help"],
    ["krgrun", "--version"],
    ["krgrun", "-n", "1", "sh", "-c", "echo hi"],
    ["krgrun", "-n", "1", "sh", "-c", "echo hi; exec sleep 60"],
    ["krgadm", "--help"],
    ["krgadm", "--version"],
    ["krgadm", "config"],
    ["krgd", "--help"],
    ["krgd", "--version"],
    ["krg_sim", "--help"],
    ["krg_sim", "--list-mutants"],
]
# What krgd answers to a line: the exit code, and a part of its one line on standard error.
KRGD = [
    ([], 2, "krgrun and 'krgadm cluster start' start it"),
    (["--frob"], 2, "unknown option '--frob'"),
    (["--boot", "now"], 2, "'now'"),
]


def main():
    folder = pathlib.Path(sys.argv[1])
    errors = []
    for words in LINES:
        if not (folder / words[0]).exists():
            continue
        with open("/dev/full", "w") as full:
            done = subprocess.run([str(folder / words[0]), *words[1:]], stdin=subprocess.DEVNULL,
                                  stdout=full, stderr=subprocess.PIPE, text=True, timeout=30)
        line = f"{words[0]}: can not write to standard output: No space left on device\n"
        if done.returncode != 1 or done.stderr != line:
            errors.append(f"{' '.join(words)}: exit code {done.returncode}: {done.stderr}")
    for words, code, part in KRGD:
        done = subprocess.run([str(folder / "krgd"), *words], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=30)
        one = done.stderr.count("\n") == 1 and done.stderr.startswith("krgd: ")
        if done.returncode != code or not one or part not in done.stderr or done.stdout:
            errors.append(f"krgd {' '.join(words)}: exit code {done.returncode}: {done.stderr}")
    for error in errors:
        print(error)
    print(f"{len(LINES) + len(KRGD)} lines, {len(errors)} wrong")
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
