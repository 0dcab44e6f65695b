# SPDX-License-Identifier: BSD-2-Clause
"""The manual, the help and the completions say the same, and all speak of commands that exist.

    manual.py CONNTUNE BASH_COMPLETION ZSH_COMPLETION FISH_COMPLETION
"""

import re
import shutil
import subprocess
import sys

import style


def read_tables(conntune):
    """{command: {"--name" or "-x"}}; "*" holds what all understand."""
    done = subprocess.run([conntune, "help", "--options"], text=True, check=True,
                          stdout=subprocess.PIPE)
    tables = {"*": set()}
    for line in done.stdout.splitlines():
        command, option, letter, _, text = line.split("\t")
        options = tables.setdefault(command, set())
        if option:
            options |= {"--" + option} | ({"-" + letter} if letter else set())
        if not text:
            raise ValueError(f"{command} {option}: no help")
    return tables


def flags_of(lines):
    """The options that the .It lines of a part of the manual name."""
    flags = set()
    for line in lines:
        if line.startswith(".It "):
            flags |= {"-" + flag for flag in re.findall(r"\bFl (-?[\w-]+)", line)}
    return flags


def manual_tables(page):
    tables, at = {}, None
    for line in page.read_text(encoding="utf-8").splitlines():
        if line.startswith(".Sh "):
            at = "*" if line == ".Sh COMMON OPTIONS" else None
            is_commands = line == ".Sh COMMANDS"
        elif line.startswith(".Ss ") and is_commands:
            at = line.split()[1]
        if at:
            tables.setdefault(at, []).append(line)
    return {name: flags_of(lines) for name, lines in tables.items()}


def help_table(conntune, command):
    done = subprocess.run([conntune, command, "--help"], text=True, check=False,
                          stdout=subprocess.PIPE)
    flags = set()
    for line in done.stdout.splitlines():
        if re.match(r" +-", line):
            flags |= set(re.findall(r"(?<![\w-])(--[\w-]+|-\w)\b", line[:32].split("  --")[0] +
                                    " " + " ".join(re.findall(r"--[\w-]+", line)[:1])))
    return flags


def too_wide(conntune, verbs):
    """Lines of help that a terminal of 80 columns would break."""
    wide = []
    for argv in [["help"], *([verb, "--help"] for verb in sorted(verbs))]:
        done = subprocess.run([conntune, *argv], text=True, check=True, stdout=subprocess.PIPE)
        wide += [line for line in done.stdout.splitlines() if len(line) > 80]
    return wide


def compare(one, one_name, other, other_name):
    return ([f"in {one_name}, not in {other_name}: {f}" for f in sorted(one - other)] +
            [f"in {other_name}, not in {one_name}: {f}" for f in sorted(other - one)])


def bash_completes(script, words):
    """What bash offers behind the words."""
    line = " ".join(f"'{w}'" for w in words)
    code = (f"source '{script}'; COMP_WORDS=({line}); COMP_CWORD={len(words) - 1}; "
            "_conntune; printf '%s\\n' \"${COMPREPLY[@]}\"")
    done = subprocess.run(["bash", "-c", code], text=True, capture_output=True, check=False)
    return set(done.stdout.split()), done.stderr.splitlines()


def completions(tap, tables, bash, zsh, fish):
    verbs = set(tables) - {"*"}
    offered, noise = bash_completes(bash, ["conntune", ""])
    tap.test("bash completes the commands",
             noise + compare(offered - {"--help", "--version"}, "completion", verbs, "table"))
    for verb in sorted(verbs):
        offered, noise = bash_completes(bash, ["conntune", verb, "-"])
        tap.test(f"bash completes the options of {verb}",
                 noise + compare(offered, "completion", tables[verb] | tables["*"], "table"))
    for shell, script in (("zsh", zsh), ("fish", fish)):
        title = f"{shell} can read its completion"
        if not shutil.which(shell):
            tap.skip(title, f"{shell} is not installed")
            continue
        done = subprocess.run([shell, "-n", script], text=True, capture_output=True, check=False)
        tap.test(title, (done.stdout + done.stderr).splitlines())


def documents(tap, verbs):
    """Where prose quotes a command line, the command exists."""
    problems = []
    for path in style.files(".md"):
        text = path.read_text(encoding="utf-8")
        quoted = re.findall(r"```.*?```|`[^`\n]+`|^(?: {4}|\t)[^\n]*$", text,
                            re.DOTALL | re.MULTILINE)
        for verb in re.findall(r"\bconntune ([a-z]\w*)", "\n".join(quoted)):
            if verb not in verbs:
                problems.append(f"{style.name(path)}: there is no 'conntune {verb}'")
    tap.test("documents name commands that exist", sorted(set(problems)))


def lint(tap):
    if not shutil.which("mandoc"):
        tap.skip("the manual pages are clean", "mandoc is not installed")
        return
    problems = []
    for path in style.files(".8", ".3", ".5", ".7"):
        done = subprocess.run(["mandoc", "-Tlint", "-Wstyle", path], text=True,
                              capture_output=True, check=False)
        problems += [line for line in done.stdout.splitlines()
                     if not re.search("referenced manual not found|longer than 80", line)]
    tap.test("the manual pages are clean", problems)


def main(conntune, bash, zsh, fish):
    tap = style.Tap()
    tables = read_tables(conntune)
    manual = manual_tables(style.TOP / "man/conntune.8")

    tap.test("every command has its section in the manual",
             compare(set(manual), "manual", set(tables), "table"))
    for verb in sorted(set(tables) & set(manual)):
        tap.test(f"the manual names the options of {verb}",
                 compare(manual[verb], "manual", tables[verb], "table"))
    for verb in sorted(set(tables) - {"*"}):
        tap.test(f"{verb} --help shows its options",
                 compare(help_table(conntune, verb), "help", tables[verb] | tables["*"], "table"))
    tap.test("help fits into 80 columns", too_wide(conntune, set(tables) - {"*"}))
    completions(tap, tables, bash, zsh, fish)
    documents(tap, set(tables) - {"*"})
    lint(tap)
    tap.end()


main(*sys.argv[1:5])
