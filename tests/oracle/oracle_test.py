# SPDX-License-Identifier: BSD-2-Clause
"""Replays what the kernel was given and compares what it made of it.

    oracle_test.py CONNTUNE [CASE...]
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import canon

HERE = Path(__file__).resolve().parent
RULESETS = HERE.parent / "rulesets" / "traffic"
SHOWN = 12  # differences printed for one case


def compare(case, folder, out):
    """The differences between a recording and a replay, as sentences."""
    options = case.get("compare", {})
    recorded = json.loads((folder / "result.json").read_text())
    clock = recorded["clock"]
    diffs = canon.compare_tables(
        recorded["entries"], canon.parse_table((out / "table.txt").read_text()),
        tol=options.get("tolerance", 2),
        shift=round(clock["table_read"] - clock["last_packet"]),
        ports_free=options.get("ports_free", False))
    diffs += canon.compare_packets(
        (folder / "packets.tsv").read_text(), (out / "packets.tsv").read_text(),
        cols=("n", "ct", "fate", "events"), deaths=case.get("time", "asap") == "asap")
    for name, value in json.loads((out / "stats.json").read_text()).items():
        if value != recorded["stats"].get(name, 0):
            diffs.append(f"counter {name}: kernel {recorded['stats'].get(name, 0)} engine {value}")
    for saved in sorted(folder.glob("rules.v?.txt")):
        diffs += canon.compare_rules(canon.parse_save(saved.read_text()),
                                     canon.parse_save((out / saved.name).read_text()))
    return diffs


def run(conntune, folder, *options):
    case = json.loads((folder / "case.json").read_text())
    with tempfile.TemporaryDirectory(prefix="ctt-oracle-") as tmp:
        done = subprocess.run([conntune, "replay", "--case", folder, "--out", tmp, *options],
                              text=True, capture_output=True, check=False)
        if done.returncode:
            return [f"conntune ended with {done.returncode}: {done.stderr.strip()}"]
        return compare(case, folder / case.get("results", "expected"), Path(tmp))


def main(conntune, *wanted):
    passing = set((HERE / "passing.txt").read_text().split())
    cases = sorted(p.parent for p in HERE.glob("*/*/case.json"))
    cases += sorted(p.parent for p in RULESETS.glob("*/case.json"))
    if wanted:
        cases = [c for c in cases if c.name in wanted]
    print(f"1..{len(cases)}")
    bad = 0
    for n, folder in enumerate(cases, 1):
        kind = "rulesets" if folder.parent == RULESETS else folder.parent.name
        name = f"{kind}/{folder.name}"
        diffs = run(conntune, folder)
        should = name in passing
        good = bool(diffs) != should
        bad += not good
        if wanted or (diffs and should):
            for line in diffs[:SHOWN]:
                print(f"# {line}")
        if not diffs and not should:
            print(f"# {name} agrees now; it belongs into passing.txt")
        note = "" if should else f" ({len(diffs)} differences, as docs/fidelity.md says)"
        print(f"{'ok' if good else 'not ok'} {n} {name}{note}")
        sys.stdout.flush()
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
