#!/usr/bin/env python3
"""usage: manual_test.py COMMAND MAN_PAGE COMPLETION

Goal    nobody is told of an option that is not there, and no option is kept secret.
Method  compares every option in --help (of the command and of each subcommand) with those in the
        rendered man page, both ways, and asks a real bash for what the completion offers.
"""

import os
import re
import subprocess
import sys

OPTION = re.compile(r"(?<![\w\]=/.-])(--?[A-Za-z][A-Za-z0-9-]*)")
# Known to every command, and one spelling of mpiexec that stands only in prose.
ONLY_IN_TEXT = {"-hostfile", "--boot"}


def run(*words):
    environment = {**os.environ, "MANWIDTH": "120", "LC_ALL": "C.UTF-8"}
    return subprocess.run(words, check=True, capture_output=True, text=True, timeout=30,
                          env=environment).stdout


def help_options(text):
    """The spellings at the beginning of the lines that describe options."""
    options = set()
    for line in text.splitlines():
        if re.match(r"  -", line):
            spellings = re.split(r"  +|(?<=[a-zA-Z]) (?=[A-Z\[])", line.strip())[0]
            options.update(OPTION.findall(spellings))
    return options


def subcommands(text):
    part = text.split("\nCommands:\n")
    if len(part) < 2:
        return []
    lines = part[1].split("\n\n")[0].splitlines()
    return [line.split()[0] for line in lines if re.match(r"  \w", line)]


def all_help(command, path=()):
    """Options of a command and of those below it."""
    text = run(command, *path, "--help")
    options = help_options(text)
    assert options, f"{path}: --help lists no option"
    for name in subcommands(text):
        options |= all_help(command, (*path, name))
    return options


def page_options(page):
    """The options that have an entry of their own, and all that are mentioned anywhere."""
    raw = run("man", "-E", "ascii", "--no-hyphenation", "-l", page)
    text = re.sub(r".\x08", "", raw)
    entries = set()
    for line in text.splitlines():
        if re.match(r"^ {7}-", line):
            entries.update(OPTION.findall(line))
    # A line may end inside an option. Examples may be of other commands.
    prose = re.sub(r"-\n\s+", "-", text.split("\nEXAMPLES\n")[0])
    return entries, set(OPTION.findall(prose))


def offered(completion, command, word):
    name = command.rsplit("/", 1)[-1]
    script = (". /usr/share/bash-completion/bash_completion; "
              f". {completion}; COMP_WORDS=({name} {word}); COMP_CWORD=1; "
              f"COMP_LINE='{name} {word}'; COMP_POINT=${{#COMP_LINE}}; _{name}; "
              'printf "%s\\n" "${COMPREPLY[@]}"')
    return set(run("bash", "--norc", "-c", script).split())


def main():
    command, page, completion = sys.argv[1:]
    helped = all_help(command)
    entries, mentioned = page_options(page)
    errors = []
    for option in sorted(helped - entries):
        errors.append(f"{option} is in --help and has no entry in the man page")
    for option in sorted(mentioned - helped - ONLY_IN_TEXT):
        errors.append(f"{option} is in the man page and not in --help")
    top = help_options(run(command, "--help"))
    for option in sorted(o for o in top if o.startswith("--")):
        if option not in offered(completion, command, option):
            errors.append(f"{option} is not completed")
    for error in errors:
        print(error)
    print(f"{len(helped)} options in --help, {len(entries)} in the man page")
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
