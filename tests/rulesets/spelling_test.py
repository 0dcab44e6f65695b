# SPDX-License-Identifier: BSD-2-Clause
"""What `conntune rules` makes of rules as they are typed: each line of the tables beside this file is
accepted and printed as iptables does, or refused with file and line.

    spelling_test.py CONNTUNE
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
TABLES = {"spelling.tsv": "4", "extensions4.tsv": "4", "extensions6.tsv": "6"}


def lines_of(name):
    """[(line number, table, typed, accepted, printed)]"""
    found = []
    for n, line in enumerate((HERE / name).read_text(encoding="utf-8").splitlines(), 1):
        if n > 1 and not line.startswith("#"):
            table, typed, answer, printed = line.split("\t")
            found.append((n, table, typed, answer == "yes", printed))
    return found


def printed_of(conntune, path, family):
    done = subprocess.run([conntune, "rules", "print", "--strict", "-" + family, path], text=True,
                          capture_output=True, check=False)
    return " | ".join(x for x in done.stdout.splitlines() if x.startswith("-A ")), done.returncode


def check(conntune, name, tmp):
    problems, lines, family = [], lines_of(name), TABLES[name]
    paths = {}
    for n, table, typed, _, _ in lines:
        paths[n] = tmp / f"{name}-{n}"
        paths[n].write_text(f"*{table}\n{typed}\nCOMMIT\n", encoding="utf-8")
    done = subprocess.run([conntune, "rules", "check", "--strict", "--json", "-" + family,
                           *paths.values()], text=True, capture_output=True, check=False)
    verdicts = {v["file"]: v for v in json.loads(done.stdout)["files"]}
    if done.returncode != 3:
        problems.append(f"ended with {done.returncode}, not 3")
    for n, _, typed, accepted, printed in lines:
        verdict = verdicts[str(paths[n])]
        if (verdict["verdict"] == "accepted") != accepted:
            problems.append(f"{name}:{n}: '{typed}' is {verdict['verdict']}: {verdict.get('why')}")
        elif not accepted and not verdict["why"].startswith(f"{paths[n]}:"):
            problems.append(f"{name}:{n}: no file and line: {verdict['why']}")
        got, code = printed_of(conntune, paths[n], family)
        if accepted and got != printed:
            problems.append(f"{name}:{n}: '{typed}' became '{got}', want '{printed}'")
        if (code == 0) != accepted:
            problems.append(f"{name}:{n}: print ended with {code}")
    return problems


def main(conntune):
    print(f"1..{len(TABLES)}")
    bad = 0
    with tempfile.TemporaryDirectory(prefix="ctt-rules-") as tmp:
        for n, name in enumerate(TABLES, 1):
            problems = check(conntune, name, Path(tmp))
            for line in problems[:20]:
                print("# " + line)
            print(f"{'not ok' if problems else 'ok'} {n} {name}")
            bad += bool(problems)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
