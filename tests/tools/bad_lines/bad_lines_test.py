#!/usr/bin/env python3
"""usage: bad_lines_test.py KRGRUN

Goal    a wrong command line costs one clear line on standard error and exit code 2, and nothing
        starts.
Method  runs the real krgrun on wrong lines; the program that must not start would leave a file
        behind. A right line at the end shows that the file is left when the program does start.
"""

import os
import pathlib
import subprocess
import sys
import tempfile

# (words, a part of the line that is printed)
LINES = [
    ([], "no program given"),
    (["-n", "0", "./leave_mark"], "-n 0: at least one"),
    (["-n", "four", "./leave_mark"], "-n four: that is no number of ranks"),
    (["-n", "9999999999", "./leave_mark"], "too many"),
    (["-n", "100000", "--dry-run", "./leave_mark"], "100000 ranks asked for, but at most"),
    (["-n", "3", "-H", "localhost:2", "./leave_mark"], "but 1 host comes with 2 slots"),
    (["-n", "2", "--np", "2", "./leave_mark"], "option --np is given twice"),
    (["--map-by", "socks", "./leave_mark"], "'socks' is no place to map to"),
    (["--map-by", "l2cache:PE=x", "./leave_mark"], "PE= wants the number of cpus"),
    (["--bind-to", "chair", "./leave_mark"], "'chair' can not be bound to"),
    (["-n", "2", "--bind-to", "hwthread:limit=0", "./leave_mark"], "LIMIT= wants"),
    (["--rank-by", "age", "./leave_mark"], "--rank-by age: unknown"),
    (["--no-such-option", "./leave_mark"], "unknown option --no-such-option"),
    (["--hostfle", "x", "./leave_mark"], "did you mean --hostfile?"),
    (["--hostfile", "missing", "./leave_mark"], "hostfile"),
    (["--hostfile", "broken", "./leave_mark"], "broken:2: 'slots=none' wants a number"),
    (["-H", "no-such-host.invalid", "./leave_mark"], "no-such-host.invalid is unknown"),
    (["./missing"], "program ./missing does not exist"),
    (["missing-program"], "program missing-program is not in PATH"),
    (["./broken"], "program ./broken is not executable"),
    (["-n", "1", "./leave_mark", ":", "-n", "1", "./missing"], "program ./missing does not exist"),
    (["-n", "1", "./leave_mark", ":"], "no program"),
    (["--wdir", "/no/such/folder", "./leave_mark"], "no such directory"),
    (["--stdin", "7", "-n", "2", "./leave_mark"], "ranks go from 0 to 1"),
    (["--timeout", "soon", "./leave_mark"], "that is no time"),
    (["-x", "1BAD=2", "./leave_mark"], "-x 1BAD=2: that is no name of a variable"),
    (["--genv", "1BAD", "2", "./leave_mark"], "--genv 1BAD: that is no name of a variable"),
    (["--output-dir", "/proc/x", "-n", "1", "./leave_mark"], "can not write to /proc/x"),
    (["--output-dir", "/proc", "-n", "1", "./leave_mark"], "can not write to /proc"),
    (["--output-file", "/proc/x/%r", "./leave_mark"], "can not write to /proc/x"),
    (["--cluster", "nosuch", "./leave_mark"], "cluster nosuch: no cluster of that name runs here"),
    (["--launch-agent", "ssh", "-H", "no-such-host.invalid", "./leave_mark"], "is unknown"),
    (["--launch-agent", "no-such-agent", "-H", "a,b", "./leave_mark"],
     "--launch-agent: program no-such-agent is not in PATH"),
]


def main():
    krgrun = os.path.abspath(sys.argv[1])
    errors = []
    with tempfile.TemporaryDirectory(prefix="krg_bad_lines_") as folder:
        base = pathlib.Path(folder)
        mark = base / "mark"
        program = base / "leave_mark"
        program.write_text(f"#!/bin/sh\n: > {mark}\n")
        program.chmod(0o755)
        (base / "broken").write_text("a slots=2\nb slots=none\n")

        def run(words):
            return subprocess.run([krgrun, *words], cwd=folder, stdin=subprocess.DEVNULL,
                                  timeout=30, capture_output=True, text=True, check=False)

        for words, part in LINES:
            done = run(words)
            line = done.stderr
            wrong = []
            if done.returncode != 2:
                wrong.append(f"exit code {done.returncode}")
            if line.count("\n") != 1 or not line.startswith("krgrun: "):
                wrong.append("not one line")
            if part not in line:
                wrong.append(f"does not say '{part}'")
            if done.stdout:
                wrong.append("something on standard output")
            if mark.exists():
                wrong.append("the program was started")
                mark.unlink()
            if wrong:
                errors.append(f"krgrun {' '.join(words)}: {', '.join(wrong)}: {line}{done.stdout}")

        # A file that stops taking output while the job runs: its line and exit code 1, whoever is
        # first, the job's end or the word that ends it.
        for words in (["sh", "-c", "echo hi"], ["sh", "-c", "echo hi; exec sleep 60"]):
            done = run(["--output-file", "/dev/full", "-n", "1", *words])
            if done.returncode != 1 or done.stderr.count("\n") != 1 or "/dev/full" not in done.stderr:
                errors.append(f"a full device: exit code {done.returncode}: {done.stderr}")

        done = run(["-n", "1", "./leave_mark"])
        if done.returncode != 0 or not mark.exists():
            errors.append(f"the right line: exit code {done.returncode}: {done.stderr}")
    for error in errors:
        print(error)
    print(f"{len(LINES)} lines refused" if not errors else f"{len(errors)} wrong")
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
