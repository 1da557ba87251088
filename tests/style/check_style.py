#!/usr/bin/env python3
"""The rules of style that a program can check, applied to every C and C++ file of the tree.

usage: check_style.py ROOT        prints each violation as file:line: text; exit code 1 if any

Also that nothing was left behind in the root, and that no two services have one id.

Soft limits (header 200 lines, source 500) are printed as warnings; hard limits fail.
"""

import pathlib
import re
import sys

FOLDERS = ("core", "transport", "kddm", "runtime", "compat", "launcher", "bench", "tests", "docs")
# Of the root; what .gitignore names may be there too.
ROOT_FILES = ("CHANGELOG.md", "CMakeLists.txt", "CMakePresets.json", "LICENSE", "README.md", "dev",
              ".clang-format", ".clang-tidy", ".git", ".gitignore")
IGNORED_FILES = ("*.swp", "compile_commands.json")
PRODUCT = ("core", "transport", "kddm", "runtime", "compat", "launcher")
HARD_FILE_LINES = 800
SOFT_HEADER_LINES = 200
SOFT_SOURCE_LINES = 500
FUNCTION_LINES = 70
LINE_COLUMNS = 100
HEADER_WORDS = ("Model", "Threads", "Blocks", "Source")

TOKEN = re.compile(
    r'(?P<comment>//[^\n]*|/\*.*?\*/)'
    r'|(?P<raw>R"(?P<mark>[^()\s\\]{0,16})\(.*?\)(?P=mark)")'
    r'|(?P<string>"(?:\\.|[^"\\\n])*")'
    r"|(?P<digits>\d[\da-fA-FxX]*(?:'[\da-fA-F]+)+)"
    r"|(?P<char>'(?:\\.|[^'\\\n])+')",
    re.DOTALL)


def blank(text, comments=True):
    """The text with strings (and comments) replaced by spaces, so that lines and columns stay."""
    def empty(match):
        if match.lastgroup == "digits" or (match["comment"] is not None and not comments):
            return match[0]
        return re.sub(r"[^\n]", " ", match[0])
    return TOKEN.sub(empty, text)


def without_nested(text, opening, closing):
    """The text with everything between balanced brackets taken out."""
    pattern = re.compile(rf"\{opening}[^\{opening}\{closing}]+\{closing}")
    previous = None
    while previous != text:
        previous, text = text, pattern.sub(opening + closing, text)
    return text


def begins_function(lead):
    """Whether the text that leads to a brace at namespace or class scope is a function's head."""
    if re.match(r"\s*(?:template\s*<.*>\s*)?(?:class|struct|union|enum|namespace)\b", lead, re.DOTALL):
        return False
    lead = re.sub(r"operator\s*[^\s\w(]+|operator\s*\(\s*\)", "operator", without_nested(lead, "(", ")"))
    return ")" in lead and "=" not in without_nested(lead, "<", ">")


def initialises_member(lead):
    """Whether the brace after `lead` belongs to a constructor's `: member_{...}`."""
    return (re.search(r"\)\s*(?:noexcept\s*)?:", lead) and
            re.search(r"[\w>]\s*$", lead) is not None)


def functions(code):
    """(first line, last line) of every function in code without comments and strings."""
    code = re.sub(r"^[ \t]*#(?:[^\n\\]|\\.)*(?:\\\n(?:[^\n\\]|\\.)*)*",
                  lambda m: re.sub(r"[^\n]", " ", m[0]), code, flags=re.MULTILINE)
    stack = []       # for each open brace: the first line if it opens a function, else None
    round_depth = 0  # open parentheses
    head = 0         # where the text that leads to the next brace begins
    for match in re.finditer(r"[(){};]", code):
        at, sign = match.start(), match[0]
        if sign in "()":
            round_depth += 1 if sign == "(" else -1
            continue
        inside = round_depth > 0 or any(first is not None for first in stack)
        lead = code[head:at]
        if sign == "{":
            if not inside and not initialises_member(lead) and begins_function(lead):
                begin = head + len(lead) - len(lead.lstrip())
                stack.append(code.count("\n", 0, begin) + 1)
            else:
                stack.append(None)
                if not inside and initialises_member(lead):
                    continue
        elif sign == "}" and stack:
            first = stack.pop()
            if first is not None:
                yield first, code.count("\n", 0, at) + 1
                inside = False
            elif round_depth > 0 or initialises_member(lead.split("{")[0]):
                continue
        if not inside:
            head = at + 1


# A page of ours in a comment, and the section that is named after it, perhaps on the next line.
CITATION = re.compile(r'(?<![\w./-])(?P<page>(?:[\w-]+/)+[\w.-]+\.md)(?:,\s+"(?P<section>[^"]+)")?')


def comment_text(text):
    """What the // comments say, as text without line breaks, and the line each character stems from."""
    words, lines = [], []
    for number, line in enumerate(text.splitlines(), 1):
        match = re.match(r"\s*//(.*)", line)
        words.append((match[1] if match else "\n") + " ")
        lines += [number] * len(words[-1])
    return "".join(words), lines


class Checker:
    def __init__(self, root):
        self.root = pathlib.Path(root)
        self.headings = {}  # Of each page that was cited; None if there is no such page.
        self.services = {}  # Where each id is, that calls and messages are told apart by.
        self.errors = []
        self.warnings = []

    def run(self):
        for path in sorted(self.root.iterdir()):
            known = path.name in ROOT_FILES or any(path.match(name) for name in IGNORED_FILES)
            if path.is_file() and not known:
                self.errors.append(f"{path.name}: the root holds no such file")
        for folder in FOLDERS:
            for path in sorted((self.root / folder).rglob("*")):
                if path.suffix in (".h", ".cpp", ".c") and path.is_file():
                    self.check(path.relative_to(self.root), path.read_text(encoding="utf-8"))
        return not self.errors

    def check(self, path, text):
        self.path = path
        lines = text.splitlines()
        code = blank(text)
        self.check_length(lines)
        self.check_columns(lines)
        self.check_functions(code)
        self.check_words(code, text)
        self.check_citations(text)
        self.check_services(code)
        if "include" in path.parts and path.suffix == ".h":
            self.check_public_header(lines, code)
        if path.suffix == ".cpp" and path.parts[0] in PRODUCT:
            self.check_own_header(lines)

    def error(self, line, text):
        self.errors.append(f"{self.path}:{line}: {text}")

    def check_length(self, lines):
        soft = SOFT_HEADER_LINES if self.path.suffix == ".h" else SOFT_SOURCE_LINES
        if len(lines) > HARD_FILE_LINES:
            self.error(len(lines), f"{len(lines)} lines: a file of over {HARD_FILE_LINES} must be split")
        elif len(lines) > soft:
            self.warnings.append(f"{self.path}: {len(lines)} lines, over {soft}")

    def check_columns(self, lines):
        for number, line in enumerate(lines, 1):
            if len(line) > LINE_COLUMNS:
                self.error(number, f"{len(line)} columns: over {LINE_COLUMNS}")

    def check_functions(self, code):
        for first, last in functions(code):
            if last - first + 1 > FUNCTION_LINES:
                self.error(first, f"a function of {last - first + 1} lines: over {FUNCTION_LINES}")

    def check_words(self, code, text):
        product = self.path.parts[0] in PRODUCT
        rules = [
            (r"\bGTEST_SKIP\b|\bDISABLED_", "a test can not be skipped or disabled"),
        ]
        if product:
            rules.append((r"\bthrow\b(?!\(\))", "krg never throws: return a Result"))
            if self.path.parts[:2] != ("core", "config"):
                rules.append((r"\b(?:secure_)?getenv\b", "only core/config reads the environment"))
        for number, line in enumerate(code.splitlines(), 1):
            for pattern, why in rules:
                if re.search(pattern, line):
                    self.error(number, why)
        for number, line in enumerate(text.splitlines(), 1):
            if re.search(r"\b(?:TODO|FIXME|XXX)\b(?!\(#\d+\))", line):
                self.error(number, "write TODO(#issue) with the issue's number, or do it")

    def check_services(self, code):
        if self.path.parts[0] not in PRODUCT:
            return
        for number, line in enumerate(code.splitlines(), 1):
            for match in re.finditer(r"\bServiceId kId\{(\w+)\}", line):
                value = int(match[1], 0)
                other = self.services.setdefault(value, f"{self.path}:{number}")
                if other != f"{self.path}:{number}":
                    self.error(number, f"service {match[1]} is that of {other}")

    def headings_of(self, page):
        if page not in self.headings:
            path = self.root / page
            text = path.read_text(encoding="utf-8") if path.is_file() else None
            self.headings[page] = text and re.findall(r"^#+ +(.*?) *$", text, re.MULTILINE)
        return self.headings[page]

    def check_citations(self, text):
        comments, lines = comment_text(text)
        for match in CITATION.finditer(comments):
            page, section = match["page"], match["section"]
            headings = self.headings_of(page)
            if headings is None:
                self.error(lines[match.start()], f"there is no page {page}")
            elif section is not None and re.sub(r"\s+", " ", section) not in headings:
                self.error(lines[match.start()], f'{page} has no section "{section}"')

    def check_public_header(self, lines, code):
        head = []
        for line in lines:
            if not line.startswith("//"):
                break
            head.append(line)
        name = "/".join(self.path.parts[-2:])
        if not head or not head[0].startswith(f"// {name}: "):
            self.error(1, f"the first line must be '// {name}: what it is'")
        found = [word for line in head for word in HEADER_WORDS if re.match(rf"//\s+{word}\b", line)]
        if found != list(HEADER_WORDS):
            self.error(1, "the head must say Model, Threads, Blocks and Source, in this order")
        for number, line in enumerate(code.splitlines(), 1):
            if re.search(r"\b(?:ucp|ucs|fi|fid|hwloc|PMIX|PMIx)_\w+|\bpmix_\w+_t\b", line):
                self.error(number, "no type of an outside library in a public header")

    def check_own_header(self, lines):
        own = self.path.with_suffix(".h").name
        module = self.path.parts[-2] if len(self.path.parts) > 2 else ""
        public = f"krg/{module}/{own}"
        folder = self.root / self.path.parent
        if (folder / "include" / public).exists():
            wanted = f'#include "{public}"'
        elif (folder / own).exists():
            wanted = f'#include "{own}"'
        else:
            return
        first = next((line for line in lines if line.startswith("#include")), "")
        if first != wanted:
            self.error(1, f"the first include must be its own header: {wanted}")


def main():
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    checker = Checker(sys.argv[1])
    clean = checker.run()
    for line in checker.warnings:
        print(f"warning: {line}")
    for line in checker.errors:
        print(line)
    print(f"{len(checker.errors)} errors, {len(checker.warnings)} warnings")
    return 0 if clean else 1


if __name__ == "__main__":
    sys.exit(main())
