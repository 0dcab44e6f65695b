# SPDX-License-Identifier: BSD-2-Clause
"""Words: licence lines, no leftovers, nothing that only one machine knows, formatting."""

import re
import shutil
import subprocess

import style

LICENCE = "SPDX-License-Identifier: BSD-2-Clause"
LEFTOVER = re.compile(r"(/\*|//|#)\W*(TODO|FIXME|XXX)\b|^\s*#\s*if\s+0\b")
MACHINE_PATH = re.compile(r"(?<![\w./*])/(home|work|Users|builds?|workspace)/\w")
FORMATTER = 14  # the version of Debian 12; others break lines elsewhere


def lines_with(pattern, paths):
    for path in paths:
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            if pattern.search(line):
                yield f"{style.name(path)}:{number}: {line.strip()}"


def is_built(path):
    """Whether the nearest meson.build above names the source, or the test by what it tests."""
    folder = next(p for p in path.parents if (p / "meson.build").exists())
    named = (folder / "meson.build").read_text(encoding="utf-8")
    short = re.sub(r"(_test|_bench)?\.(c|py)$", "", str(path.relative_to(folder)))
    return f"'{path.relative_to(folder)}'" in named or f"'{short}'" in named


def is_script(path):
    return path.read_bytes()[:2] == b"#!"


def formatting(tap):
    title = "sources are formatted (clang-format)"
    tool = shutil.which("clang-format")
    if not tool:
        return tap.skip(title, "clang-format is not installed")
    version = subprocess.run([tool, "--version"], text=True, capture_output=True, check=True)
    if f"version {FORMATTER}." not in version.stdout:
        return tap.skip(title, f"needs clang-format {FORMATTER}: {version.stdout.strip()}")
    sources = [style.name(p) for p in style.files(".c", ".h")]
    done = subprocess.run([tool, "--dry-run", "-Werror", *sources], text=True,
                          capture_output=True, check=False, cwd=style.TOP)
    return tap.test(title, sorted({l.split(":")[0] for l in done.stderr.splitlines()
                                   if "error:" in l}))


def main():
    tap = style.Tap()
    code = style.files(".c", ".h", ".py")
    scripts = [p for p in style.files("", ".sh") if is_script(p)]
    prose = style.files(".md", ".8", ".3", ".def", ".build")
    everything = sorted({*code, *scripts, *prose, *style.files(".txt", ".map", ".sc")})

    tap.test("sources name their licence first",
             (style.name(p) for p in [*code, *scripts]
              if LICENCE not in "".join(p.read_text(encoding="utf-8").splitlines()[:2])))
    tap.test("no leftovers", lines_with(LEFTOVER, everything))
    tap.test("no path of one machine", lines_with(MACHINE_PATH, everything))
    tap.test("no blanks at line ends", lines_with(re.compile(r"[ \t]$"), everything))
    tap.test("files end with a newline",
             (style.name(p) for p in everything
              if p.stat().st_size and not p.read_bytes().endswith(b"\n")))
    tap.test("every source and test is named in a meson.build",
             (style.name(p) for p in style.files(".c", under=("src", "tests", "bench"))
              + [q for q in style.files(".py", under=("tests",)) if q.stem.endswith("_test")]
              if not is_built(p)))
    formatting(tap)
    tap.end()


main()
