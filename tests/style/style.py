# SPDX-License-Identifier: BSD-2-Clause
"""What the style tests share: the project's files, and answers in TAP."""

import pathlib
import re
import sys

TOP = pathlib.Path(__file__).resolve().parents[2]
FOLDERS = ("include", "src", "tests", "bench", "tools", "man", "docs", "completions", ".ci")


def files(*suffixes, under=FOLDERS):
    """The project's own files with one of the suffixes ("" for those without), sorted; recorded
    machines and fuzz seeds are data and do not count."""
    found = []
    for folder in under:
        found += [p for p in (TOP / folder).rglob("*") if p.is_file() and not p.is_symlink()]
    found += [p for p in TOP.iterdir() if p.is_file() and under is FOLDERS]
    return sorted(
        p for p in found
        if p.suffix in suffixes and not re.search(
            r"/(tests/golden/.*|fuzz/seeds/.*|__pycache__/.*)$|/\.git$", str(p)))


def name(path):
    return str(path.relative_to(TOP))


class Tap:
    """Collects answers; one line each, what is wrong behind it."""

    def __init__(self):
        self.n = 0
        self.bad = 0

    def test(self, title, problems):
        problems = list(problems)
        self.n += 1
        self.bad += bool(problems)
        print(f"{'not ' if problems else ''}ok {self.n} {title}")
        for problem in problems[:40]:
            print(f"# {problem}")
        sys.stdout.flush()

    def skip(self, title, why):
        self.n += 1
        print(f"ok {self.n} {title} # SKIP {why}")

    def end(self):
        print(f"1..{self.n}")
        sys.exit(1 if self.bad else 0)
